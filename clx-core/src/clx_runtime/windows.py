"""Windows of long texts: how the logits of a text's windows are pooled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import DataFormatError
from clx_runtime.problems import examples

if TYPE_CHECKING:
    import numpy as np

READ_WHOLE = "A task that classifies single texts reads them whole with long_text='window'"
"""The remedy, for messages about truncated texts."""


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


def refuse_long(where: Iterable[Any], limit: int | None, rows: int, what: str) -> None:
    """Raise if a text is longer than the model takes, for a run with ``strict_length``.

    Args:
        where: index labels or positions of the texts that are too long.
        limit: the most tokens that the model takes.
        rows: the number of texts.
        what: the name of the data, such as ``train_data``.

    Raises:
        DataFormatError: ``where`` is not empty.
    """
    found = list(where)
    if found:
        raise DataFormatError(
            f"{len(found)} of {rows} texts in {what} are longer than {limit} tokens: "
            f"{examples(found)}. The run has strict_length=True: shorten them, or raise the limit "
            f"(tokenize_args={{'max_length': …}}). {READ_WHOLE}"
        )
