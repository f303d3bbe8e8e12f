"""The first row of each value of a column, from parts of a table that is too large for memory."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MAX_VALUES = 100_000
"""The most values of a column whose rows are collected."""


class FirstRows:
    """Collects the position of the first row of each value. Items of lists are values too.

    Of a column of numbers with fractions, it takes the smallest and the largest one.
    """

    def __init__(self) -> None:
        self.incomplete = False
        self._first: set[int] = set()
        self._seen: dict[str, set[Any]] = {}
        self._ends: dict[str, list[tuple[float, int]]] = {}

    @property
    def rows(self) -> set[int]:
        """The positions."""
        return self._first | {position for ends in self._ends.values() for _, position in ends}

    def add(self, start: int, name: str, column: pd.Series) -> None:
        """Take the next rows of a column.

        Args:
            start: the position of the first one.
            name: the column.
            column: the rows.
        """
        import pandas as pd

        column = column.reset_index(drop=True)
        seen = self._seen.setdefault(name, set())
        if pd.api.types.is_float_dtype(column):
            self._add_ends(start, name, column)
        # Lists of labels cannot be compared like this.
        with contextlib.suppress(TypeError):
            column = column.drop_duplicates()
        for position, value in zip(column.index.tolist(), column.tolist(), strict=True):
            if len(seen) >= MAX_VALUES:
                self.incomplete = True
                return
            new = {key for key in _keys(value) if key not in seen}
            if new:
                seen |= new
                self._first.add(start + position)

    def _add_ends(self, start: int, name: str, column: pd.Series) -> None:
        import numpy as np

        numbers = column.to_numpy(float, na_value=np.nan)
        if not np.isnan(numbers).all():
            ends = int(np.nanargmin(numbers)), int(np.nanargmax(numbers))
            found = [(float(numbers[at]), start + at) for at in ends]
            both = sorted([*self._ends.get(name, []), *found])
            self._ends[name] = [both[0], both[-1]]


def _keys(cell: Any) -> list[Any]:
    """Return keys that identify the values of a cell."""
    if isinstance(cell, float):
        # A missing label must reach the validation; numbers are not listed.
        return ["missing"] if cell != cell else []
    if isinstance(cell, str | bytes) or not isinstance(cell, Iterable):
        return [(type(cell).__name__, cell)]
    if isinstance(cell, dict):
        return []
    items = list(cell)
    plain = [(type(item).__name__, item) for item in items if isinstance(item, Hashable)]
    return plain or [("items", len(items))]
