"""``clx tune``: try several values of the options, and train a run with the best ones."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.assignments import value_of
from clx.cli.metric_tables import write_frame, write_metrics
from clx.cli.options_of_run import (
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    TaskArgument,
    TokenizerOption,
    given_options,
    run_options,
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
    reading_options,
)
from clx.cli.train import data_or_share, reference
from clx.cli.train_flags import seconds_or_text
from clx.errors import ConfigError
from clx.problems import cell, raise_problems

if TYPE_CHECKING:
    from clx.ml import TrainingRun
    from clx.ml.results.tuning import TuningResult


def tune(
    context: typer.Context,
    task: TaskArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new run.")],
    train_data: Annotated[
        str,
        typer.Argument(
            metavar="TRAIN",
            help="Training data: a file, a folder, a quoted glob, a query or an address.",
        ),
    ],
    eval_data: Annotated[
        str | None,
        typer.Option(
            "--eval",
            metavar="FILE|SHARE",
            help="Data to measure each trial on, or the share of TRAIN to set aside, such as 0.2 "
            "[default: cross-validation]",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(metavar="N", help="Number of trials, with those of an earlier call.")
    ] = 20,
    time_budget: Annotated[
        str,
        typer.Option(metavar="TIME", help="Time limit of the whole command; none for no limit."),
    ] = "30m",
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="Values to try: learning_rate=1e-5:1e-3:log, num_train_epochs=1:5, or "
            "class_weights=null,balanced. May be repeated. [default: by task and data]",
        ),
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Number of folds without --eval.")] = 3,
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
    runs_dir: RunsDirOption = None,
    assignments: AssignmentsOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a trained run of the same name.")
    ] = False,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tune the options of a run, and train it with the best ones.

    Prints the trials, the metrics of the published run, and what was chosen. In a pipe: tables with
    headings, and names and values, separated by tabs. To go on after an interruption, repeat the
    command.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(task, name, **run_options(task, given_options(context), assignments))
        result = run.tune(
            train_data,
            None if eval_data is None else data_or_share(eval_data),
            trials=trials,
            time_budget=None if time_budget == "none" else seconds_or_text(time_budget),
            space=space_of(space),
            overwrite=overwrite,
            folds=folds,
            group_column=group_column,
            time_column=time_column,
            **reading_options(separator, encoding, header),
        )
        if as_json:
            about = {"task": run.config["task"], "run_name": run.run_name}
            out.json({**about, **result.to_dict()})
        else:
            _write(out, run, result)


def space_of(assignments: Iterable[str] | None) -> dict[str, Any] | None:
    """Return the space that ``--space`` describes, None for the default one.

    Raises:
        ConfigError: an assignment is not ``KEY=VALUES``; all are listed.
    """
    found: dict[str, Any] = {}
    problems = []
    for assignment in assignments or ():
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip() or not text.strip():
            problems.append(f"{cell(assignment)} is not KEY=VALUES")
            continue
        found[key.strip()] = _values(text.strip())
    raise_problems(
        ConfigError,
        "These uses of --space are not valid:",
        problems,
        "Write KEY=LOW:HIGH, KEY=LOW:HIGH:log, KEY=A,B,C or KEY=[a JSON list].",
    )
    return found or None


def _values(text: str) -> Any:
    """Return a range as a tuple, and values as a list."""
    if text.startswith("["):
        try:
            return list(json.loads(text))
        except ValueError:
            pass
    ends = text.split(":")
    if len(ends) in (2, 3):
        numbers = [value_of(end) for end in ends[:2]]
        if all(isinstance(number, int | float) for number in numbers):
            return (*numbers, *ends[2:])
    return [value_of(part.strip()) for part in text.split(",")]


def _write(out: Output, run: TrainingRun, result: TuningResult) -> None:
    write_frame(out, "trials", result.trials)
    if result.metrics:
        out.blank()
        write_metrics(out, result.metrics, f"{run.run_name}, the published run")
    out.blank()
    out.fields(
        [
            ("objective", result.objective),
            ("best", result.value),
            *result.best.items(),
            *((f"importance of {key}", value) for key, value in result.importance.items()),
            *([("without effect", result.without_effect)] if result.without_effect else []),
            *([("stopped by", "the time budget")] if result.stopped else []),
            ("seconds", round(result.seconds, 1)),
            ("run directory", result.run_dir),
            ("next", f'clx predict {shlex.quote(reference(result.run_dir))} "some text"'),
        ]
    )
