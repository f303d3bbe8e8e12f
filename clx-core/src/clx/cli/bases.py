"""``clx bases``: compare base models on labeled data."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from clx.cli.options_of_run import (
    AssignmentsOption,
    LabelColumnsOption,
    LabelNamesOption,
    TaskOption,
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
    LabelledDataArgument,
    NoHeaderOption,
    SeparatorOption,
    TextColumnOption,
    TimeColumnOption,
    comma_separated,
    reading_options,
)
from clx.cli.task_names import DEFAULT_TASK

NAME = "bases"
"""The name of the run in messages; it has no directory."""


def bases(
    context: typer.Context,
    data: LabelledDataArgument,
    base_models: Annotated[
        str | None,
        typer.Option(
            "--bases",
            metavar="A,B",
            help="Base models to compare: Hub ids, presets, folders, and runs "
            "[default: the default model and the presets small, fast, best, multilingual]",
        ),
    ] = None,
    task: TaskOption = DEFAULT_TASK,
    folds: Annotated[int, typer.Option(metavar="N", help="Number of folds.")] = 3,
    metric: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The metric to compare by [default: by task and data]"),
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
    assignments: AssignmentsOption = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare base models on labeled data; no run is written.

    Each base model reads the texts once, and a linear layer on its features is cross-validated.
    Prints one row per base model, the best first, and the recommended one. In a pipe: a table with
    headings, an empty line, and the recommended base model; tabs separate the fields.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(task, NAME, **run_options(task, given_options(context), assignments))
        frame = run.compare_bases(
            data,
            None if base_models is None else comma_separated(base_models),
            folds,
            metric,
            group_column,
            time_column,
            **reading_options(separator, encoding, header),
        )
        about: dict[Any, Any] = frame.attrs
        if as_json:
            out.json({**about, "bases": frame.to_dict("records")})
            return
        title = f"{about['folds']} folds, {about['rows']} rows"
        out.table(list(frame.columns), frame.itertuples(index=False), title)
        out.blank()
        out.fields([("recommended", about["recommended"])])
