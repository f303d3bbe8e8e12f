"""The targets of rows besides a label: a weight, and a probability for each label.

Both travel as columns of the tokenized dataset. So they follow its rows into windows, samples, folds
and batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import DataFormatError, PluginError
from clx.ml.data.problems import column_problems, row_problems
from clx.ml.task.author_code import author_code
from clx.problems import raise_problems

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from clx.ml.task.task import Task

    Array = np.ndarray[Any, Any]

WEIGHT = "clx_weight"
PROBABILITIES = "clx_probabilities"

TARGET_COLUMNS = (WEIGHT, PROBABILITIES)
"""The columns of a tokenized dataset that belong to the loss and not to the model."""

REMEDY = (
    "A weight is a number above 0, or 0 for a row that does not count. Correct the weights, or drop "
    "these rows."
)


@dataclass(frozen=True)
class RowTargets:
    """The weights and the label probabilities of some rows.

    Attributes:
        weights: shape (rows,), with a mean of 1 over the split; None if all rows weigh the same.
        probabilities: shape (rows, labels); None if each label is certain.
    """

    weights: Array | None = None
    probabilities: Array | None = None

    def __bool__(self) -> bool:
        """Return whether there are weights or probabilities."""
        return self.weights is not None or self.probabilities is not None

    def select(self, rows: Any) -> RowTargets:
        """Return the targets of the rows that an index or a mask selects."""
        return RowTargets(
            *(None if v is None else v[rows] for v in (self.weights, self.probabilities))
        )


NO_TARGETS = RowTargets()
"""The targets of rows with equal weights and certain labels."""


def row_targets(eval_pred: Any) -> RowTargets:
    """Return the weights and probabilities of the rows of a task's ``compute_metrics``.

    Args:
        eval_pred: the argument of ``compute_metrics``, ``fit_decisions``, or the methods for tables.

    Returns:
        Targets without weights and probabilities if the rows have none.
    """
    found = getattr(eval_pred, "row_targets", None)
    return found if isinstance(found, RowTargets) else RowTargets()


def weighted_rows(task: Task, frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the rows of a frame that count: those whose weight is not 0.

    Data without the column of weights is returned as it is.

    Raises:
        DataFormatError: a weight is missing, negative, not finite or not a number, or all are 0.
    """
    import numpy as np

    column = task.weight_column
    if column is None or column not in frame.columns:
        return frame
    cells, weights = frame[column].tolist(), _weights(frame, column)
    problems = row_problems(
        frame,
        frame[column].isna().to_numpy(),
        f"column {column!r}: the weight is missing",
    )
    present = ~frame[column].isna().to_numpy()
    odd = present & ~np.isfinite(weights)
    problems += row_problems(frame, odd, f"column {column!r}: not a finite number", cells)
    problems += row_problems(frame, weights < 0, f"column {column!r}: a negative weight", cells)
    if not problems and len(frame) and not weights.any():
        problems = [f"column {column!r}: all weights are 0, so no row counts"]
    raise_problems(DataFormatError, f"{what} has weights that cannot be used:", problems, REMEDY)
    return frame if weights.all() else frame[weights > 0]


def require_weights(task: Task, frame: pd.DataFrame, what: str) -> None:
    """Refuse rows to train on that lack the column of weights.

    Raises:
        DataFormatError: there is no such column.
    """
    if task.weight_column is not None:
        raise_problems(
            DataFormatError,
            f"{what} lacks the column that weight_column names:",
            column_problems(frame, [task.weight_column]),
            "Name the right column, or leave weight_column out, so that all rows weigh the same.",
        )


def _weights(frame: pd.DataFrame, column: str) -> Array:
    """Return the weights of all rows, NaN for a cell that is not a number or the text of one."""
    import numpy as np

    return np.array([_weight(value) for value in frame[column].tolist()], dtype=np.float64)


def _weight(value: Any) -> float:
    # The cells of a csv file are texts.
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def targets_of_frame(task: Task, frame: pd.DataFrame) -> RowTargets:
    """Return the targets of a validated frame.

    Equal weights are no weights, and probabilities of 0 and 1 are no probabilities: such rows train
    exactly like rows without them.
    """
    import numpy as np

    weights, probabilities = None, _probabilities(task, frame)
    column = task.weight_column
    if column is not None and column in frame.columns and len(frame):
        values = _weights(frame, column)
        if (values != values[0]).any():
            weights = values / values.mean()
    if probabilities is not None and np.isin(probabilities, (0, 1)).all():
        probabilities = None
    return RowTargets(weights, probabilities)


def _probabilities(task: Task, frame: pd.DataFrame) -> Array | None:
    import numpy as np

    with author_code(task, "row_probabilities"):
        found = task.row_probabilities(frame)
    if found is None:
        return None
    matrix = np.asarray(found, dtype=np.float32)
    if matrix.ndim != 2 or len(matrix) != len(frame):
        raise PluginError(
            f"row_probabilities() of the task {task.name!r} must return shape (rows, labels), but "
            f"returned {matrix.shape} for {len(frame)} rows"
        )
    return matrix


def with_targets(frame: pd.DataFrame, targets: RowTargets) -> pd.DataFrame:
    """Return a frame with the targets as additional columns, for :func:`clx.ml.data.to_dataset`."""
    columns: dict[str, Any] = {}
    if targets.weights is not None:
        columns[WEIGHT] = targets.weights
    if targets.probabilities is not None:
        columns[PROBABILITIES] = targets.probabilities.tolist()
    return frame.assign(**columns) if columns else frame


def dataset_targets(dataset: Any, rows: Sequence[int] | Array | None = None) -> RowTargets:
    """Return the targets in the columns of a tokenized dataset.

    Args:
        dataset: the tokenized rows.
        rows: the positions of the rows to return, None for all.
    """
    import numpy as np

    present = getattr(dataset, "column_names", None) or ()
    columns = [
        np.asarray(dataset[name][:], dtype=kind) if name in present else None
        for name, kind in ((WEIGHT, np.float64), (PROBABILITIES, np.float32))
    ]
    found = RowTargets(*columns)
    return found if rows is None else found.select(rows)


def expected_counts(labels: Sequence[str], targets: RowTargets) -> dict[str, float] | None:
    """Return the sum of each label's probabilities, None if each label is certain."""
    if targets.probabilities is None:
        return None
    totals = targets.probabilities.sum(axis=0, dtype=float)
    return dict(zip(labels, totals.tolist(), strict=True))
