"""The rows of predictions as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def prediction_frame(rows: Sequence[Mapping[str, Any]], index: Any) -> pd.DataFrame:
    """Return a frame with one row per prediction, as ``prediction_row`` returns them.

    Whole numbers and booleans keep their values if some rows have None, such as the label of a run that
    abstains: the column then has the type ``Int64`` or ``boolean``, or ``object`` for numbers that
        do not fit into 64 bits. By default, pandas would convert them to floats, which changes
        large numbers.
    """
    import pandas as pd

    frame = pd.DataFrame(rows, index=index)
    for name in frame.columns:
        values = [row.get(name) for row in rows]
        given = [value for value in values if value is not None]
        if not given or len(given) == len(values):
            continue
        if all(isinstance(value, bool) for value in given):
            frame[name] = pd.array(values, dtype="boolean")
        elif all(isinstance(value, int) and not isinstance(value, bool) for value in given):
            fits = all(-(2**63) <= value < 2**63 for value in given)
            frame[name] = (
                pd.array(values, dtype="Int64")
                if fits
                else pd.Series(values, index=frame.index, dtype=object)
            )
    return frame
