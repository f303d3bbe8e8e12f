"""Where the labels are in the data: the column ``label``, or ``labels`` if it holds lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml.labels import label_values

if TYPE_CHECKING:
    import pandas as pd


def label_cells_of(data: Any) -> Any:
    """Return the label cells of a validated frame, or of a dict of its columns."""
    return data["label" if "label" in data else "labels"]


def label_column(data: pd.DataFrame) -> str:
    """Return the label column: ``label``, or ``labels`` if it holds lists and there is no ``label``."""
    if "label" in data or "labels" not in data:
        return "label"
    cells = list(data["labels"])
    is_list = any(new is not old for new, old in zip(label_values(cells), cells, strict=True))
    return "labels" if is_list else "label"
