"""The texts of a frame's rows, as the inputs of ``predict``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.problems import column_problems, raise_data_problems, text_problems
from clx.problems import names
from clx_runtime.objects import is_column
from clx_runtime.texts import TextRow, as_text_rows, plain_items

if TYPE_CHECKING:
    import pandas as pd

TEXT_CELLS = "clx_text_cells"
"""The attribute of a frame that says whether its source, such as a csv file, has cells of text only."""


def column_to_frame(data: Any, columns: Sequence[str]) -> pd.DataFrame | None:
    """Return a list, Series or array of texts as a frame, or None if the data is something else.

    Args:
        data: one text per row; for several columns, a tuple or dict of texts per row.
        columns: the text columns of the frame.

    Returns:
        The frame, whose index is that of a pandas Series, or counts from 0.

    Raises:
        DataFormatError: a row of several texts is not valid.
    """
    if not is_column(data):
        return None
    import pandas as pd

    rows = list(plain_items(as_text_rows(data, columns)))
    index = data.index if isinstance(data, pd.Series) else pd.RangeIndex(len(rows))
    if len(columns) == 1:
        return pd.DataFrame({columns[0]: pd.Series(rows, index=index, dtype=object)})
    return pd.DataFrame([row.texts for row in rows], index=index, columns=list(columns))


def frame_inputs(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the input of ``predict`` for each row of a frame.

    Raises:
        DataFormatError: a column is missing, or holds a value that is not a text.
    """
    problems = column_problems(frame, columns)
    if not problems and frame.attrs.get(TEXT_CELLS):
        # A csv file cannot tell an empty text from a missing one, and an empty text can be
        # predicted.
        frame = frame[list(columns)].fillna("")
    problems = problems or [p for column in columns for p in text_problems(frame, column)]
    what = f"a column {columns[0]!r}" if len(columns) == 1 else f"the columns {names(columns)}"
    raise_data_problems(problems, f"{what} of texts")
    return _joined(frame, columns)


def row_texts(frame: pd.DataFrame, columns: Sequence[str]) -> list[str] | None:
    """Return the texts of each row as one string. Two are equal if all their texts are.

    Return None if the frame lacks a column, or if a column holds a value that is not a string. That
    is not an error: a task may read its rows in its own way.
    """
    if any(name not in frame.columns for name in columns):
        return None
    if not all(isinstance(text, str) for name in columns for text in frame[name]):
        return None
    return _joined(frame, columns)


def _joined(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    if len(columns) == 1:
        return list(frame[columns[0]])
    return [TextRow(row) for row in zip(*(frame[name] for name in columns), strict=True)]


def with_texts(table: pd.DataFrame, frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Insert the texts of a frame's rows as the first columns of a table, and return the table.

    Args:
        table: one row per row of the frame, with the same index. It is changed in place.
        frame: the data.
        columns: the task's text columns. A column that the frame lacks, or that the table already
            has, is skipped.
    """
    texts = [name for name in columns if name in frame.columns and name not in table.columns]
    for place, name in enumerate(texts):
        table.insert(place, name, frame[name])
    return table
