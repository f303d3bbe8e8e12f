"""The texts of the rows of a table, and the rows that have no valid text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clx_runtime.problems import cell
from clx_runtime.texts import TextRow, has_surrogate


@dataclass(frozen=True)
class RowTexts:
    """The input of ``predict`` for some rows.

    Attributes:
        texts: one for each row, shape (rows,). The text of a bad row is empty.
        errors: the errors of the bad rows, by position.
    """

    texts: list[str]
    errors: dict[int, str]


def texts_of_columns(values: Mapping[str, Sequence[Any]], text_cells: bool = False) -> RowTexts:
    """Return the texts of some rows.

    Args:
        values: the values of each column of texts, shape (rows,).
        text_cells: whether every cell is text; then a missing cell is an empty text.
    """
    errors: dict[int, str] = {}
    by_column = []
    for column, cells in values.items():
        texts = ["" if cell is None and text_cells else cell for cell in cells]
        for position, value in enumerate(texts):
            if (error := _error(value)) is not None:
                errors.setdefault(position, f"column {column!r}: {error}")
        by_column.append(texts)
    empty = [""] * len(by_column)
    rows = [
        empty if position in errors else list(row)
        for position, row in enumerate(zip(*by_column, strict=True))
    ]
    return RowTexts([row[0] if len(row) == 1 else TextRow(row) for row in rows], errors)


def _error(value: Any) -> str | None:
    if isinstance(value, str):
        is_valid = value.isascii() or not has_surrogate(value)
        return None if is_valid else "invalid Unicode (half of a surrogate pair)"
    return "the text is missing" if _is_missing(value) else f"not a string ({cell(value)})"


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, ``pandas.NA`` or ``NaT``."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        # pandas.NA is neither equal nor unequal; the comparison of arrays has no single answer.
        return type(value).__name__ == "NAType"
