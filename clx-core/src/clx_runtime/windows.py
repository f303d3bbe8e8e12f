"""Windows of long texts: how the logits of a text's windows are pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def pooled(
    values: np.ndarray[Any, Any], row_of: Sequence[int], sizes: Sequence[int], how: str
) -> np.ndarray[Any, Any]:
    """Return one row of logits per text.

    Args:
        values: logits of the windows, shape (windows, labels).
        row_of: the text of each window, ascending, shape (windows,).
        sizes: tokens of each window, shape (windows,).
        how: ``mean``, ``max``, or ``length`` (the mean weighted by tokens).
    """
    import numpy as np

    starts = first_windows(row_of)
    if how == "max":
        return np.asarray(np.maximum.reduceat(values, starts, axis=0))
    weights = np.ones(len(values)) if how == "mean" else np.asarray(sizes, dtype=np.float64)
    sums = np.add.reduceat(values * weights[:, None], starts, axis=0)
    totals = np.add.reduceat(weights, starts)
    return np.asarray((sums / totals[:, None]).astype(values.dtype))


def first_windows(row_of: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return the position of each text's first window."""
    import numpy as np

    return np.flatnonzero(np.diff(np.asarray(row_of), prepend=-1))
