"""``clx check``: say what is odd about labeled data, before a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clx.cli.failures import BROKEN
from clx.cli.options_of_run import (
    DEFAULT_TASK,
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    TaskOption,
    TokenizerOption,
    run_options,
)
from clx.cli.output import Output
from clx.cli.parameters import (
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
)
from clx.cli.train import data_or_share

if TYPE_CHECKING:
    from clx.ml.results.data_check import DataCheck

NAME = "check"
"""The name of the run in messages; it has no directory."""


def check(
    data: LabelledDataArgument,
    eval_data: Annotated[
        str | None,
        typer.Argument(
            metavar="EVAL",
            help="Data to evaluate on, or the share of DATA that a training would set aside, such as "
            "0.2.",
        ),
    ] = None,
    task: TaskOption = DEFAULT_TASK,
    group_column: GroupColumnOption = None,
    time_column: TimeColumnOption = None,
    label_names: LabelNamesOption = None,
    label_columns: LabelColumnsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    separator: SeparatorOption = None,
    encoding: EncodingOption = None,
    header: HeaderOption = None,
    no_header: NoHeaderOption = False,
    base_model: BaseModelOption = None,
    tokenizer: TokenizerOption = None,
    assignments: AssignmentsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check labeled data before a training.

    Looks for leaks, conflicting labels, repeated rows, rare labels and long texts. Nothing is trained.

    The exit status is 0 without findings, 1 with findings, and 2 if the data cannot be read. In a
    pipe: a table with headings, one finding per line; tabs separate the fields.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        given = {
            "base_model_name": base_model,
            "tokenizer_name": tokenizer,
            "text_column": text_column,
            "label_column": label_column,
            "label_names": label_names,
            "label_columns": label_columns,
        }
        run = training_run(task, NAME, **run_options(task, given, assignments))
        found = run.check(
            data,
            None if eval_data is None else data_or_share(eval_data),
            group_column,
            time_column,
            **reading_options(separator, encoding, header),
        )
        _write(out, found)
    if not found.ok:
        raise typer.Exit(BROKEN)


def _write(out: Output, found: DataCheck) -> None:
    if out.as_json:
        out.json(found.to_dict())
        return
    if not out.is_terminal:
        columns = ("kind", "data", "rows", "finding")
        rows = [(each.kind, each.where, each.count, each.message) for each in found.findings]
        out.table(columns, rows, heading=True)
        return
    out.line(str(found))
