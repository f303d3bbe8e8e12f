"""``clx train``: train a run on a file of labeled texts."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.assignments import assigned_options
from clx.cli.metric_tables import write_metrics
from clx.cli.output import Output
from clx.cli.parameters import (
    DeviceOption,
    EncodingOption,
    HeaderOption,
    JsonOption,
    LabelColumnOption,
    NoHeaderOption,
    RunsDirOption,
    SeparatorOption,
    TextColumnOption,
    comma_separated,
    reading_options,
)
from clx.settings import runs_dir as default_runs_dir

if TYPE_CHECKING:
    from clx.ml import TrainingRun
    from clx.ml.results.outcome import TrainingResult


def task_names() -> list[str]:
    """Return the names of all installed tasks; shell completion picks those that match."""
    from clx.ml import task_registry

    return list(task_registry)


def train(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="The task, such as classification; `clx tasks` lists them.",
            autocompletion=task_names,
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the new run.")],
    train_data: Annotated[
        str,
        typer.Argument(
            metavar="TRAIN",
            help="Training data: csv, tsv, jsonl or parquet; a file, a folder or a quoted glob.",
        ),
    ],
    eval_data: Annotated[
        str | None,
        typer.Option(
            "--eval", metavar="FILE", help="Data to evaluate on; training keeps the best model."
        ),
    ] = None,
    label_names: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Label names in order, or a JSON list [default: from the data]"
        ),
    ] = None,
    label_columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="For several labels per text: the columns of 0 and 1, one for each label, or a JSON "
            "list [default: a column labels]",
        ),
    ] = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    no_header: NoHeaderOption = False,
    base_model: Annotated[
        str | None,
        typer.Option(metavar="M", help="Model to fine-tune: a Hub id or a folder."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Tokenizer: a Hub id or a folder [default: the base model's]"
        ),
    ] = None,
    runs_dir: RunsDirOption = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set an option, such as training_args.learning_rate=1e-4 or label_type=int. A value "
            "that is not JSON is taken as text. May be repeated.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a trained run of the same name.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted training run.")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a model on labeled texts.

    Prints the metrics, the counts of rows and steps, and the run directory. In a pipe: one name and
    value per line, separated by a tab.
    """
    with Output(as_json) as out:
        from clx.ml import task_registry, training_run
        from clx.ml.task.options import accepted_options

        given: dict[str, Any] = {
            "base_model_name": base_model,
            "tokenizer_name": tokenizer,
            "run_dir_parent": runs_dir,
            "device": device,
            "text_column": text_column,
            "label_column": label_column,
            "label_names": None if label_names is None else labels_of(label_names),
            "label_columns": None if label_columns is None else labels_of(label_columns),
        }
        options = {key: value for key, value in given.items() if value is not None}
        options |= assigned_options(assignments or (), accepted_options(task_registry[task]))
        run = training_run(task, name, **options)
        result = run.train(
            train_data,
            eval_data,
            overwrite=overwrite,
            resume=resume,
            **reading_options(separator, encoding, header, no_header),
        )
        if as_json:
            out.json(_document(run, result))
        else:
            _write(out, run, result)


def labels_of(text: str) -> list[Any]:
    """Parse label names given as ``a,b`` or, for names that contain commas, as a JSON list."""
    if text.lstrip().startswith("["):
        try:
            names = json.loads(text)
        except ValueError:
            return comma_separated(text)
        return list(names)
    return comma_separated(text)


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
        write_metrics(out, result.metrics, f"{run.run_name} on {rows} rows of evaluation data")
    from clx.ml.results.ending import kept_in_words, stopped_in_words

    ending = result.to_dict()
    words = [("kept", kept_in_words(ending)), ("stopped by", stopped_in_words(ending))]
    out.fields(
        [
            ("train rows", result.rows.get("train", 0)),
            ("steps", result.steps),
            ("train loss", result.train_loss),
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
