"""``clx check``: say what is odd about labeled data, before a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.failures import BROKEN, complain
from clx.cli.options_of_run import (
    AssignmentsOption,
    BaseModelOption,
    LabelColumnsOption,
    LabelNamesOption,
    TaskOption,
    TokenizerOption,
    given_options,
    run_options,
)
from clx.cli.output import Output, clipped_texts
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
from clx.cli.task_names import DEFAULT_TASK
from clx.cli.train import data_or_share
from clx.errors import ConfigError

if TYPE_CHECKING:
    from clx.ml import TrainingRun
    from clx.ml.results.corrections import DistinctRows
    from clx.ml.results.data_check import DataCheck

NAME = "check"
"""The name of the run in messages; it has no directory."""

TEXT_WIDTH = 60


def check(
    context: typer.Context,
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
    drop_duplicates: Annotated[
        bool,
        typer.Option(
            "--drop-duplicates",
            help="With -o: leave out rows that repeat the text and labels of an earlier row, and check "
            "the others.",
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="With --drop-duplicates: write the rows that stay to this file, such as clean.csv.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing FILE.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check labeled data before a training.

    Looks for leaks, conflicting labels, repeated rows, rare labels and long texts. Nothing is trained.
    With --drop-duplicates, the findings are those of the rows in FILE, and a second table lists all rows
    that have the same text but different labels: these stay.

    The exit status is 0 without findings, 1 with findings, and 2 if the data cannot be read. In a
    pipe: a table with headings, one finding per line; tabs separate the fields.
    """
    with Output(as_json, no_header) as out:
        from clx.ml import training_run

        run = training_run(task, NAME, **run_options(task, given_options(context), assignments))
        others = None if eval_data is None else data_or_share(eval_data)
        how: dict[str, Any] = {"group_column": group_column, "time_column": time_column}
        how |= reading_options(separator, encoding, header)
        if drop_duplicates != (output is not None):
            raise ConfigError(
                "--drop-duplicates writes the rows that stay to -o FILE: give both, or none of them"
            )
        if output is None:
            _write(out, found := run.check(data, others, **how))
        else:
            found, distinct = _checked_distinct(run, data, others, how, (output, overwrite))
            _write_distinct(out, found, distinct, output)
    if not found.ok:
        raise typer.Exit(BROKEN)


def _checked_distinct(
    run: TrainingRun, data: str, others: Any, how: Mapping[str, Any], file: tuple[str, bool]
) -> tuple[DataCheck, DistinctRows]:
    """Check the rows that do not repeat others, and write them to a file.

    Args:
        run: the run that checks.
        data: the labeled data.
        others: the data or the share to evaluate on.
        how: further arguments of ``run.check``.
        file: the path of the file, and whether to replace an existing one.

    Returns:
        The findings about the rows in the file, and these rows, numbered as there.
    """
    from clx.ml.data.reading import reading_of
    from clx.ml.data.suggestions import labeled_source, target_of, write_frame

    path, overwrite = file
    target = target_of(path, data, overwrite)
    reading = reading_of(*(how[name] for name in ("separator", "encoding", "header")))
    frame, others = labeled_source(data, others, reading)
    distinct = run.drop_duplicates(frame)
    row_numbers = distinct.data.index.get_indexer(distinct.conflicts.index)
    distinct = replace(
        distinct,
        data=distinct.data.reset_index(drop=True),
        conflicts=distinct.conflicts.set_axis(row_numbers),
    )
    found = run.check(distinct.data, others, **how)
    write_frame(target, distinct.data)
    return found, distinct


def _write_distinct(out: Output, found: DataCheck, distinct: DistinctRows, path: str) -> None:
    if out.as_json:
        out.json({**found.to_dict(), "distinct": {**distinct.to_dict(), "output": path}})
        return
    _write(out, found)
    lines = list(distinct.conflicts.astype(object).itertuples(name=None))
    out.blank()
    out.table(
        ["row", *map(str, distinct.conflicts.columns)],
        [clipped_texts(line, TEXT_WIDTH) for line in lines] if out.is_terminal else lines,
        f"Rows of {path} that have the same text, but different labels",
    )
    complain(f"saved in {path}: {distinct}")


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
