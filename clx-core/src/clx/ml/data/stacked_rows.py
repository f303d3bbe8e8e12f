"""Rows of two sources, one after the other, by position."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.ml.data.lazy_rows import LazyRows

if TYPE_CHECKING:
    import pandas as pd


class StackedRows(LazyRows):
    """The rows of one source, and all or some rows of another one after them.

    A column that one of them lacks is missing in its rows.

    Args:
        first: the first rows.
        second: the source of the other rows.
        chosen: the positions of the rows to take from it, shape (rows,). None for all.
    """

    def __init__(
        self, first: LazyRows, second: LazyRows, chosen: np.ndarray[Any, Any] | None = None
    ) -> None:
        self._first, self._second, self._chosen = first, second, chosen

    def __len__(self) -> int:
        added = len(self._second) if self._chosen is None else len(self._chosen)
        return len(self._first) + added

    @property
    def columns(self) -> list[str]:
        """The names of the columns of both."""
        return list(dict.fromkeys([*self._first.columns, *self._second.columns]))

    def frame(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows at some positions; their index labels are these positions."""
        import pandas as pd

        names = self.columns if columns is None else list(columns)
        wanted = np.asarray(rows, dtype=np.int64)
        is_first = wanted < len(self._first)
        pieces = [
            _piece(self._first, wanted[is_first], names),
            _piece(self._second, self._of_second(wanted[~is_first]), names),
        ]
        if len(wanted) == 0:
            return pd.DataFrame(columns=names)
        joined = pd.concat([piece for piece in pieces if piece is not None], ignore_index=True)
        order = np.concatenate([np.flatnonzero(is_first), np.flatnonzero(~is_first)])
        frame = joined.iloc[np.argsort(order)].reindex(columns=names)
        frame.index = pd.Index(wanted)
        return frame

    def _of_second(self, positions: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        places = positions - len(self._first)
        return places if self._chosen is None else self._chosen[places]

    def digest(self) -> str:
        """Return a digest of all values."""
        digest = hashlib.sha256(f"{self._first.digest()} {self._second.digest()}".encode())
        if self._chosen is not None:
            digest.update(np.asarray(self._chosen, dtype="<i8").tobytes())
        return digest.hexdigest()


def _piece(
    source: LazyRows, places: np.ndarray[Any, Any], names: Sequence[str]
) -> pd.DataFrame | None:
    """Return rows of a source with those of some columns that it has, None for no rows."""
    if not len(places):
        return None
    present = [name for name in names if name in source.columns]
    whole = range(int(places[0]), int(places[0]) + len(places))
    # Consecutive rows are read much faster than rows one by one.
    follow = int(places[-1]) == whole[-1] and bool((np.diff(places) == 1).all())
    return source.frame(whole if follow else places.tolist(), present)
