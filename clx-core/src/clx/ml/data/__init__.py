"""Data of any kind as frames and datasets, and what is wrong with its rows.

The public face of the room: task packages import from here.
"""

from clx.ml.data.frames import (
    ROW_OF_RESULT,
    column_problems,
    fingerprint,
    has_surrogate,
    raise_data_problems,
    row_problems,
    text_problems,
    to_dataset,
    to_frame,
)

__all__ = [
    "ROW_OF_RESULT",
    "column_problems",
    "fingerprint",
    "has_surrogate",
    "raise_data_problems",
    "row_problems",
    "text_problems",
    "to_dataset",
    "to_frame",
]
