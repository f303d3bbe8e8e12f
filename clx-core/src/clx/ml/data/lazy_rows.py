"""Rows that stay where they are: on disk, or in a caller's object. They are read by their positions.

Reading a file gives the same values as :func:`clx.ml.data.frames.to_frame`, a part at a time.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.ml.data.dataset import fingerprint

if TYPE_CHECKING:
    import pandas as pd

PART_ROWS = 20_000
"""Rows that are read at once by a pass over all rows."""


class LazyRows(abc.ABC):
    """Rows by position. Copies in other processes open the same files.

    Attributes:
        in_memory: whether all values are objects in memory already.
    """

    in_memory = False

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @abc.abstractmethod
    def frame(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows at some positions as a frame, whose index names the rows for users.

        Args:
            rows: the positions, in any order.
            columns: the columns to read, None for all.
        """

    @abc.abstractmethod
    def digest(self) -> str:
        """Return a digest of all values, in order."""

    @property
    @abc.abstractmethod
    def columns(self) -> list[str]:
        """The names of the columns."""

    @property
    def index(self) -> pd.Index[Any]:
        """The index of the frame of all rows."""
        import pandas as pd

        return pd.RangeIndex(len(self))

    def parts(
        self, size: int, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[int, pd.DataFrame]]:
        """Yield the position of the first row, and the rows, of consecutive parts."""
        for start in range(0, len(self), size):
            yield start, self.frame(range(start, min(start + size, len(self))), columns)

    def characters(self, columns: Sequence[str]) -> Iterator[tuple[int, Sizes]]:
        """Yield the position of the first row, and the characters of its texts, of each part.

        Args:
            columns: the columns of texts, whose characters are added up.
        """
        for start, frame in self.parts(PART_ROWS, columns):
            texts = [frame[name].tolist() for name in columns]
            if all(isinstance(text, str) for column in texts for text in column):
                yield start, np.sum([[len(text) for text in column] for column in texts], axis=0)
            else:
                yield start, None


Sizes = np.ndarray[Any, Any] | None
"""One number per row, None if a row has something else than a text."""


class FrameRows(LazyRows):
    """The rows of a DataFrame, which is in memory already."""

    in_memory = True

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return [str(name) for name in self._frame.columns]

    @property
    def index(self) -> pd.Index[Any]:
        """The index of the frame."""
        return self._frame.index

    def frame(self, rows: Sequence[int], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows at some positions, with their own index labels."""
        chosen = self._frame if columns is None else self._frame[list(columns)]
        return chosen.iloc[list(rows)]

    def digest(self) -> str:
        """Return a digest of all values."""
        return fingerprint(self._frame)
