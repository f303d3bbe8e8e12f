"""``clx train``: train a run on a file of labeled texts."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.metric_tables import write_frame, write_metrics
from clx.cli.options_of_run import (
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    OptionalTaskArgument,
    TokenizerOption,
    given_options,
)
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    GroupColumnOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    NoHeaderOption,
    RunsDirOption,
    SeparatorOption,
    TextColumnOption,
    TimeColumnOption,
)
from clx.cli.predict_estimate import print_training_estimate
from clx.cli.train_flags import (
    NUMBER,
    BatchSizeOption,
    EpochsOption,
    FineTuneOption,
    LearningRateOption,
    SeedOption,
    TimeBudgetOption,
    seconds_or_text,
    training_entries,
)
from clx.cli.training_plan import (
    Request,
    TrainingPlan,
    planned,
    print_new_file,
    refuse_with_init,
)
from clx.errors import ConfigError
from clx.problems import cell
from clx.settings import runs_dir as default_runs_dir

if TYPE_CHECKING:
    from clx.ml import TrainingRun
    from clx.ml.results.outcome import TrainingResult


def train(
    context: typer.Context,
    task: OptionalTaskArgument = None,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The name of the new run.")
    ] = None,
    train_data: Annotated[
        str | None,
        typer.Argument(
            metavar="TRAIN",
            help="Training data: a file, a folder, a quoted glob, a query or an address.",
        ),
    ] = None,
    eval_data: Annotated[
        str | None,
        typer.Option(
            "--eval",
            metavar="FILE|SHARE",
            help="Data to evaluate on, or the share of TRAIN to set aside, such as 0.2; training keeps "
            "the best model. A file whose name is a number needs ./ before it.",
        ),
    ] = None,
    group_column: GroupColumnOption = None,
    time_column: TimeColumnOption = None,
    label_names: LabelNamesOption = None,
    label_columns: LabelColumnsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    base_model: BaseModelOption = None,
    tokenizer: TokenizerOption = None,
    epochs: EpochsOption = None,
    learning_rate: LearningRateOption = None,
    batch_size: BatchSizeOption = None,
    seed: SeedOption = None,
    time_budget: TimeBudgetOption = None,
    fine_tune: FineTuneOption = None,
    runs_dir: RunsDirOption = None,
    assignments: AssignmentsOption = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Read the arguments and options from this TOML file, such as run.toml. Those of the "
            "command line override it.",
        ),
    ] = None,
    init: Annotated[
        bool,
        typer.Option(
            "--init",
            help="Write a file for --config with every option and its default, and end "
            "[default: run.toml]",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a trained run of the same name.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted training run.")
    ] = False,
    earlier: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Continue the training of this run, as the new run NAME: start from its weights, and "
            "keep its labels and options.",
        ),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="With --from: old data to mix in, so that it is not unlearned."
        ),
    ] = None,
    replay_rows: Annotated[
        str | None,
        typer.Option(
            metavar="N|SHARE", help="With --replay: how many of its rows, such as 500 or 0.3."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the estimated cost of the training and exit.")
    ] = False,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a model on labeled texts.

    TASK, NAME and TRAIN are needed, unless --config names a file that has them. Prints the metrics, the
    counts of rows and steps, and the run directory. In a pipe: one name and value per line, separated
    by a tab.
    """
    with Output(as_json, no_header) as out:
        words = {"task": task, "run_name": name, "train_data": train_data}
        call: dict[str, Any] = {
            "group_column": group_column,
            "time_column": time_column,
            "fine_tune": fine_tune,
            "time_budget": None if time_budget is None else seconds_or_text(time_budget),
        }
        request = Request(
            words,
            None if eval_data is None else data_or_share(eval_data),
            given_options(context),
            training_entries(epochs, learning_rate, batch_size, seed),
            assignments or (),
            call,
            (separator, encoding, header),
        )
        old_rows = replayed(earlier, replay, replay_rows)
        once = {"--resume": resume, "--overwrite": overwrite, "--dry-run": dry_run}
        if init:
            refuse_with_init({**once, "--from": earlier is not None})
            print_new_file(out, config, request)
            return
        plan = planned(context, config, request)
        if dry_run:
            if earlier is not None or resume:
                raise ConfigError("--dry-run cannot be combined with --from or --resume")
            _estimate(out, plan)
            return
        run, result = _trained(plan, earlier, old_rows, overwrite, resume)
        if as_json:
            out.json(_document(run, result))
        else:
            _write(out, run, result)


def _estimate(out: Output, plan: TrainingPlan) -> None:
    from clx.ml import training_run

    with plan.file_named():
        run = training_run(plan.task, plan.name, **plan.options)
    print_training_estimate(out, run, run.estimate_training(*plan.data, **plan.call))


def _trained(
    plan: TrainingPlan,
    earlier: str | None,
    old_rows: dict[str, Any],
    overwrite: bool,
    resume: bool,
) -> tuple[TrainingRun, TrainingResult]:
    """Train a new run, or continue an earlier one, and return it with the result."""
    from clx.ml import training_run

    call = {"overwrite": overwrite, "resume": resume, **plan.call}
    if earlier is None:
        with plan.file_named():
            run = training_run(plan.task, plan.name, **plan.options)
        return run, run.train(*plan.data, **call)
    run = training_run(plan.task, load=earlier, device=plan.options.get("device"))
    call |= {"name": plan.name, **old_rows, **plan.options}
    result: TrainingResult = run.continue_training(*plan.data, **call)
    return training_run(load=result.run_dir), result


def data_or_share(text: str) -> str | float:
    """Return a number as the share of eval rows, and any other value as the name of data."""
    return float(text) if NUMBER.fullmatch(text.strip()) else text


def replayed(earlier: str | None, replay: str | None, replay_rows: str | None) -> dict[str, Any]:
    """Return the arguments of ``continue_training`` about old rows.

    Raises:
        ConfigError: there are old rows but no ``--from``, or their number is not a number.
    """
    if earlier is None and (replay is not None or replay_rows is not None):
        raise ConfigError("--replay and --replay-rows need --from RUN, the run to continue")
    if replay_rows is not None and not NUMBER.fullmatch(replay_rows.strip()):
        raise ConfigError(f"--replay-rows must be a number, but is {cell(replay_rows)}")
    found: dict[str, Any] = {} if replay is None else {"replay": replay}
    if replay_rows is not None:
        whole = replay_rows.strip().isdecimal()
        found["replay_rows"] = int(replay_rows) if whole else float(replay_rows)
    return found


def _document(run: TrainingRun, result: TrainingResult) -> dict[str, Any]:
    return {
        "task": run.config["task"],
        "run_name": run.run_name,
        "run_dir": result.run_dir,
        **result.to_dict(),
    }


def _write(out: Output, run: TrainingRun, result: TrainingResult) -> None:
    if result.metrics:
        rows = result.rows.get("eval", 0)
        title = f"{run.run_name} on {rows} rows of evaluation data"
        write_metrics(out, result.metrics, title, heading=False)
    from clx.ml.results.ending import kept_in_words, stopped_in_words

    ending = result.to_dict()
    words = [("kept", kept_in_words(ending)), ("stopped by", stopped_in_words(ending))]
    comparison = getattr(result, "comparison", None)
    if comparison is not None:
        own, other = comparison.names
        title = f"own: {own}, other: {other}, on {comparison.rows} rows of labels that both have"
        write_frame(out, title, comparison.metrics)
    out.fields(
        [
            ("train rows", result.rows.get("train", 0)),
            ("steps", result.steps),
            *([] if math.isnan(result.train_loss) else [("train loss", result.train_loss)]),
            *((name, value) for name, value in words if value is not None),
            ("seconds", round(result.seconds, 1)),
            ("run directory", result.run_dir),
            ("next", f'clx predict {shlex.quote(reference(result.run_dir))} "some text"'),
        ]
    )


def reference(run_dir: Path) -> str:
    """Return the shortest argument that names a run for other commands: its name or its path."""
    by_name = run_dir.parent == default_runs_dir() and not Path(run_dir.name).exists()
    return run_dir.name if by_name else str(run_dir)
