"""``clx cv``: estimate the quality of a model by cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clx.cli.failures import complain
from clx.cli.metric_tables import write_evaluation
from clx.cli.options_of_run import (
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    TaskArgument,
    TokenizerOption,
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
    reading_options,
    save_option,
)

NAME = "cross-validation"
"""The name of the run in tables and reports; it has no directory."""


def cv(
    task: TaskArgument,
    data: LabelledDataArgument,
    folds: Annotated[int, typer.Option(metavar="N", help="Number of folds, and of models.")] = 5,
    no_fine_tune: Annotated[
        bool,
        typer.Option("--no-fine-tune", help="Fit the last layer only, which takes seconds."),
    ] = False,
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
    assignments: AssignmentsOption = None,
    save: Annotated[Path | None, save_option("evaluation.json, report.html and all tables")] = None,
    device: DeviceOption = None,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cross-validate a task on labeled data; no run is written.

    Prints each metric, its standard deviation over the folds, and a table of the labels. In a pipe:
    two tables with an empty line between them, fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        given = {
            "base_model_name": base_model,
            "tokenizer_name": tokenizer,
            "device": device,
            "text_column": text_column,
            "label_column": label_column,
            "label_names": label_names,
            "label_columns": label_columns,
        }
        run = training_run(task, NAME, **run_options(task, given, assignments))
        how = reading_options(separator, encoding, header)
        result = run.cross_validate(data, folds, not no_fine_tune, group_column, time_column, **how)
        if save is not None:
            complain(f"saved in {result.save(save)}")
        if as_json:
            out.json({"task": run.config["task"], "folds": folds, **result.to_dict()})
            return
        title = f"{folds} folds, {result.rows} rows, {result.seconds:.1f} s"
        write_evaluation(out, result, title)
