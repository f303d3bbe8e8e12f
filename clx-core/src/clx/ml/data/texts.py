"""Inputs of more than one text: rows of a premise and a hypothesis, a question and a passage.

Everything between ``predict`` and the tokenizer handles texts: it counts, sorts, and computes equal
ones once. A row of several texts goes that way as one str, which the run's tokenizer takes apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataFormatError
from clx.ml.data.problems import column_problems, has_surrogate, raise_data_problems, text_problems
from clx.problems import cell, names, raise_problems

if TYPE_CHECKING:
    import pandas as pd


class TextRow(str):
    """The texts of one row as one str; ``texts`` has them apart."""

    texts: tuple[str, ...]

    __slots__ = ("texts",)

    def __new__(cls, texts: Iterable[str]) -> TextRow:
        """Join the texts."""
        parts = tuple(texts)
        row = super().__new__(cls, "\n".join(parts))
        row.texts = parts
        return row

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TextRow) and self.texts == other.texts

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.texts)

    def __repr__(self) -> str:
        return repr(self.texts)


def split_pair(texts: Any) -> tuple[Any, ...]:
    """Return what a tokenizer is called with: the texts, or a list of texts for each column."""
    if isinstance(texts, TextRow):
        return texts.texts
    rows = texts if isinstance(texts, list) else []
    if rows and all(isinstance(row, TextRow) for row in rows):
        return tuple(list(column) for column in zip(*(row.texts for row in rows), strict=True))
    return (texts,)


EXPECTED_TEXTS = "a list, tuple, Series, array or generator of texts, or one text"


def as_texts(texts: Any) -> Iterable[Any]:
    """Return an iterable of what may be texts; one string is a list of one.

    Raises:
        DataFormatError: of a type that cannot be a row of texts.
    """
    if isinstance(texts, str):
        return [texts]
    kind = type(texts).__name__
    if isinstance(texts, bytes | bytearray | dict | set | frozenset) or kind == "DataFrame":
        hint = "; pass one of its columns, or use predict_frame" if kind == "DataFrame" else ""
        raise DataFormatError(f"predict needs {EXPECTED_TEXTS}, but got a {kind}{hint}")
    if getattr(texts, "ndim", 1) != 1:
        raise DataFormatError(
            f"predict needs {EXPECTED_TEXTS}, but got an array of {texts.ndim} dimensions"
        )
    if isinstance(texts, type) or not hasattr(texts, "__iter__"):
        raise DataFormatError(f"predict needs {EXPECTED_TEXTS}, but got {cell(texts)}")
    return texts  # type: ignore[no-any-return]


def check_texts(texts: Iterable[Any], start: int = 0) -> list[str]:
    """Return the texts as a list.

    Args:
        texts: some of the input.
        start: the position of the first of them in all of the input.

    Raises:
        DataFormatError: some are not texts; at most ten are listed with their positions.
    """
    checked = list(texts)
    problems = []
    for position, text in enumerate(checked, start):
        if not isinstance(text, str):
            problems.append(f"position {position}: {cell(text)} is not a str")
        elif not text.isascii() and has_surrogate(text):
            problems.append(f"position {position}: {cell(text)} has half of a surrogate pair")
    raise_problems(
        DataFormatError,
        f"predict needs texts, but {len(problems)} of these are none:",
        problems,
        "Drop or replace them (an empty string is a text).",
    )
    return checked


def as_text_rows(inputs: Any, columns: Sequence[str]) -> Any:
    """Return the inputs of ``predict`` for a task that reads these columns.

    For one column they are returned as they are. For more, each input is a tuple or list of that
    many texts, or a dict with the columns as keys.

    Raises:
        DataFormatError: of a type that cannot be rows of several texts. What is wrong with a single
            row is raised when its turn comes, for a list at once.
    """
    if len(columns) == 1:
        return inputs
    kind = type(inputs).__name__
    if isinstance(inputs, str | bytes | dict | set) or kind == "DataFrame":
        hint = "; use predict_frame" if kind == "DataFrame" else ""
        raise DataFormatError(f"predict needs {_expected(columns)}, but got a {kind}{hint}")
    if not hasattr(inputs, "__iter__"):
        raise DataFormatError(f"predict needs {_expected(columns)}, but got {cell(inputs)}")
    rows = _rows(inputs, columns)
    return list(rows) if hasattr(inputs, "__len__") else rows


def _rows(inputs: Iterable[Any], columns: Sequence[str]) -> Iterator[TextRow]:
    for position, given in enumerate(inputs):
        if isinstance(given, TextRow):
            yield given
            continue
        row: Any = [given.get(name) for name in columns] if isinstance(given, dict) else given
        is_row = isinstance(row, list | tuple) and len(row) == len(columns)
        if not is_row or not all(isinstance(text, str) for text in row):
            raise DataFormatError(
                f"predict needs {_expected(columns)}, but at position {position} is {cell(given)}"
            )
        yield TextRow(row)


def _expected(columns: Sequence[str]) -> str:
    example = ", ".join(f"{name!r}: …" for name in columns)
    rows = f"a list of rows ({', '.join(columns)})"
    return f"{rows}, each a tuple of {len(columns)} texts or {{{example}}}"


def input_columns(columns: Sequence[str], text_column: str) -> list[str]:
    """Return the columns that predictions are made from.

    Args:
        columns: those of the task.
        text_column: the caller's wish; ``"text"`` is the default and means the task's own.

    Raises:
        ConfigError: one column is named for a task that reads several.
    """
    if text_column == "text" or text_column in columns:
        return list(columns)
    if len(columns) > 1:
        raise ConfigError(
            f"text_column is for a task that reads one column; this one reads {names(columns)}: "
            f"rename the columns of the data"
        )
    return [text_column]


def frame_inputs(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return what ``predict`` takes for each row of a frame.

    Raises:
        DataFormatError: a column is missing or has something else than texts.
    """
    problems = column_problems(frame, columns)
    problems = problems or [p for column in columns for p in text_problems(frame, column)]
    what = f"a column {columns[0]!r}" if len(columns) == 1 else f"the columns {names(columns)}"
    raise_data_problems(problems, f"{what} of texts")
    return _joined(frame, columns)


def row_texts(frame: pd.DataFrame, columns: Sequence[str]) -> list[str] | None:
    """Return the texts of each row as one str; two are equal when all their texts are.

    None for a frame that lacks a column or has something else than str in one: a task may read its
    rows in a way of its own.
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
    """Return a table of the frame's rows with the texts in front, as far as there are any.

    Args:
        table: a row each, on the index of the frame; it is changed.
        frame: the data.
        columns: those of the task's texts; the table's own of such a name stays as it is.
    """
    texts = [name for name in columns if name in frame.columns and name not in table.columns]
    for place, name in enumerate(texts):
        table.insert(place, name, frame[name])
    return table
