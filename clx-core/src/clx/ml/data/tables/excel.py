"""Sheets of Excel and OpenDocument workbooks: cells keep their values."""

from __future__ import annotations

import datetime
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clx.errors import DataFormatError, DataWarning, MissingDependencyError
from clx.ml.data.reading import Reading
from clx.ml.data.tables.json_rows import rows_of_objects
from clx.ml.data.tables.json_types import EXACT_IN_FLOAT
from clx.ml.data.tables.rows import Rows, refuse_repeated
from clx.ml.data.tables.streams import FileSource
from clx.problems import IN_WARNINGS, did_you_mean, examples, names
from clx_runtime.callers import user_level

PIP_LINE = "pip install 'clx-core[excel]'"

Cells = list[Any]


def open_sheet(source: FileSource, reading: Reading) -> Rows:
    """Open one sheet of a workbook: the one in ``book.xlsx#Sheet``, or the first one with rows.

    A number is an int if all numbers of its column are whole. Dates and times become their ISO text.
    Rows without any value are skipped.

    Args:
        source: the workbook. It is read into memory.
        reading: the caller's options, of which only the heading is used.

    Raises:
        DataFormatError: the file is not a workbook, or has no such sheet.
        MissingDependencyError: the extra is needed: ``pip install 'clx-core[excel]'``.
    """
    try:
        import python_calamine
    except ImportError as error:
        raise MissingDependencyError(
            f"{source.name} needs python-calamine ({error}): {PIP_LINE}"
        ) from error
    with source.open() as stream:
        content = stream.read()
    try:
        with python_calamine.load_workbook(io.BytesIO(content)) as workbook:
            sheet, cells = _chosen(workbook, source)
    except python_calamine.PasswordError as error:
        raise DataFormatError(
            f"{source.name} is protected by a password: save it without one"
        ) from error
    except python_calamine.CalamineError as error:
        raise DataFormatError(source.unreadable(error)) from error
    name = f"{source.name}, sheet {sheet!r}" if sheet else source.name
    return _rows(name, cells, reading)


def _chosen(workbook: Any, source: FileSource) -> tuple[str, list[Cells]]:
    """Return the name and the cells of the sheet that is read."""
    sheets = workbook.sheet_names
    if source.sheet is not None:
        if source.sheet not in sheets:
            hint = did_you_mean(source.sheet, sheets)
            raise DataFormatError(
                f"{source.name} has no sheet {source.sheet!r}; its sheets are {names(sheets)}{hint}"
            )
        return source.sheet, _cells(workbook, source.sheet)
    with_rows = [each for each in _visible(workbook) if workbook.get_sheet_by_name(each).height]
    if not with_rows:
        return "", []
    if len(with_rows) > 1:
        warnings.warn(
            f"{source.name}: the sheet {with_rows[0]!r} was read, not "
            f"{examples(with_rows[1:], IN_WARNINGS)}. "
            f"Pass {f'{Path(source.name).name}#{with_rows[1]}'!r} to read another sheet.",
            DataWarning,
            stacklevel=user_level(),
        )
    return with_rows[0], _cells(workbook, with_rows[0])


def _visible(workbook: Any) -> list[str]:
    shown = [
        each.name for each in workbook.sheets_metadata if str(each.visible).endswith(".Visible")
    ]
    return shown or list(workbook.sheet_names)


def _cells(workbook: Any, sheet: str) -> list[Cells]:
    rows = workbook.get_sheet_by_name(sheet).to_python()
    filled = [[None if value == "" else value for value in row] for row in rows]
    return [row for row in filled if any(value is not None for value in row)]


def _rows(name: str, cells: list[Cells], reading: Reading) -> Rows:
    if not cells:
        raise DataFormatError(f"{name} is empty")
    width = max(map(len, cells))
    cells = [row + [None] * (width - len(row)) for row in cells]
    if reading.header is True:
        heading, body = [_title(value) for value in cells[0]], cells[1:]
    else:
        heading = list(reading.header or [f"column_{place}" for place in range(1, width + 1)])
        body = cells
        if len(heading) != width:
            raise DataFormatError(
                f"{name} has {width} columns with values, but header names {len(heading)} "
                f"({names(heading)}): name each column"
            )
    columns = [_unified([row[place] for row in body]) for place in range(width)]
    # A format or a note beside the table creates columns without a title and often without values.
    used = [
        place
        for place in range(width)
        if heading[place] or any(value is not None for value in columns[place])
    ]
    titles = [heading[place] or f"Unnamed: {place}" for place in used]
    refuse_repeated(titles, name)
    chosen = [columns[place] for place in used]
    objects = [dict(zip(titles, row, strict=True)) for row in zip(*chosen, strict=True)]
    return rows_of_objects(name, objects, titles)


def _title(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


def _unified(column: Cells) -> Cells:
    """Convert a column to JSON values: in Excel, every number is a float and every date has a time."""
    numbers = [value for value in column if type(value) is float]
    whole = all(value.is_integer() and abs(value) <= EXACT_IN_FLOAT for value in numbers)
    timed = any(isinstance(value, datetime.datetime) for value in column)
    return list(_json_values(column, whole, timed))


def _json_values(column: Sequence[Any], whole: bool, timed: bool) -> Iterator[Any]:
    for value in column:
        if type(value) is float and whole:
            yield int(value)
        elif isinstance(value, datetime.timedelta):
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            yield f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        elif timed and type(value) is datetime.date:
            yield datetime.datetime(value.year, value.month, value.day).isoformat()
        elif isinstance(value, datetime.date | datetime.time):
            yield value.isoformat()
        else:
            yield value
