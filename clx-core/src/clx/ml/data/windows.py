"""Windows of long texts: which rows belong to one text, and how their values are pooled.

Each window is a training row with its text's label. The logits of a text are pooled from those of its
windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx_runtime.windows import first_windows, pooled

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class TextWindows:
    """Which rows of a dataset are windows of one text, and how to pool their values.

    Attributes:
        row_of: the text of each window, ascending, shape (windows,).
        sizes: tokens of each window, shape (windows,).
        how: ``mean``, ``max``, or ``length`` (the mean weighted by tokens).
    """

    row_of: Sequence[int]
    sizes: Sequence[int]
    how: str

    def pooled(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return one row of logits, or features, per text."""
        return pooled(values, self.row_of, self.sizes, self.how)

    def firsts(self) -> np.ndarray[Any, Any]:
        """Return the position of each text's first window."""
        return first_windows(self.row_of)

    def only(self, windows: Sequence[int]) -> TextWindows:
        """Return the selected windows, given by ascending position."""
        row_of, sizes = ([of[i] for i in windows] for of in (self.row_of, self.sizes))
        return TextWindows(row_of, sizes, self.how)
