"""The classes of ``y``, in each form that scikit-learn or a user gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

WEIGHTS = "sample_weight"
"""The column of weights in the run's data."""

SINGLE, INDICATOR, LISTS = "single", "indicator", "lists"
"""The kinds of ``y``: one class per text, a matrix of 0 and 1, or a list of classes per text."""


def targets_of(y: Any, classes: Any = None) -> tuple[str, Any, list[Any]]:
    """Return the kind of ``y``, its classes, and the names of the labels of each row."""
    if hasattr(y, "toarray"):
        y = y.toarray()
    if _is_lists(y):
        found = np.asarray(MultiLabelBinarizer().fit(y).classes_) if classes is None else classes
        return LISTS, found, [[str(name) for name in row] for row in y]
    columns = getattr(y, "columns", None)
    matrix = np.asarray(y)
    if (
        matrix.ndim == 2
        and matrix.shape[1] > 1
        and type_of_target(matrix) == "multilabel-indicator"
    ):
        found = np.arange(matrix.shape[1]) if columns is None else np.asarray(columns)
        found = found if classes is None else classes
        return INDICATOR, found, [[str(name) for name in found[row == 1]] for row in matrix]
    values = column_or_1d(y, warn=True)
    check_classification_targets(values)
    return SINGLE, np.unique(values), [str(value) for value in values]


def _is_lists(y: Any) -> bool:
    """Return whether ``y`` is a list of lists of classes, not of zeros and ones."""
    if getattr(y, "ndim", 1) != 1 or not hasattr(y, "__iter__"):
        return False
    rows = list(y)
    if not rows or not all(isinstance(row, list | tuple | set | frozenset) for row in rows):
        return False
    widths, cells = {len(row) for row in rows}, {cell for row in rows for cell in row}
    return not (len(widths) == 1 and widths != {0} and widths != {1} and cells <= {0, 1})
