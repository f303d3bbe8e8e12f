"""The folds of a cross-validation: the rows that each fold fits, validates on, and holds out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError, DataFormatError, DataWarning
from clx.ml.data.holdout.arguments import refuse_both, seed_of
from clx.ml.data.holdout.rows import eval_rows, fold_of_rows, held_out_labels, rows_of
from clx.ml.results.row_split import RowSplit
from clx.problems import cell
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.data.holdout.rows import Rows
    from clx.ml.task.task import Task
    from clx.ml.training.data import Data

Array = np.ndarray[Any, Any]

EVAL_SHARE = 0.2
"""The share of a fold's training rows that choose the epoch, the temperature and the decisions."""

MIN_ROWS = 10
"""With fewer training rows, a fold sets no rows aside for validation."""


@dataclass(frozen=True)
class FoldRequest:
    """The arguments of ``TrainingRun.cross_validate``, which describes them."""

    data: Data
    folds: int = 5
    fine_tune: bool = True
    group_column: str | None = None
    time_column: str | None = None

    def __str__(self) -> str:
        how = "fine-tuned" if self.fine_tune else "the last layer fitted"
        for column, words in (
            (self.group_column, "groups of {!r} together"),
            (self.time_column, "each after older rows by {!r}"),
        ):
            how += f", {words.format(column)}" if column is not None else ""
        return f"{self.folds} folds, {how}"


@dataclass(frozen=True)
class Fold:
    """One fold, as row positions in ascending order.

    Attributes:
        train: the rows to fit.
        eval: the rows to choose the epoch, the temperature and the decisions by; may be empty.
        held_out: the rows to score.
    """

    train: Array
    eval: Array
    held_out: Array


def check_request(request: FoldRequest) -> None:
    """Raise for arguments that are wrong for any data.

    Raises:
        ConfigError: ``folds`` is not a whole number of at least 2, or the columns exclude each other.
    """
    folds = request.folds
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise ConfigError(f"folds must be a whole number of at least 2, but is {cell(folds)}")
    refuse_both(request.group_column, request.time_column)


def make_folds(task: Task, frame: pd.DataFrame, request: FoldRequest) -> list[Fold]:
    """Return the folds of a validated frame; warn about labels that a fold cannot learn.

    Raises:
        DataFormatError: there are too few rows, groups or times, a column has missing or unsuitable
            values, or a fold lacks rows of a label and the run has ``strict_data``.
    """
    columns = request.group_column, request.time_column
    seed = seed_of(task.training_args)
    rows = rows_of(task, frame, "data")
    fold_of = fold_of_rows(rows, request.folds, seed, *columns)
    folds, unlearned = [], []
    for number in range(request.folds):
        by_time = request.time_column is not None
        known = fold_of < number if by_time else fold_of != number
        names = held_out_labels(rows, known)
        unlearned += [f"{cell(name)} (fold {number + 1})" for name in names]
        positions = np.flatnonzero(known)
        share = RowSplit(EVAL_SHARE, seed, *columns)
        chosen = _rows_to_choose_by(task, frame.iloc[positions], share)
        held_out = np.flatnonzero(fold_of == number)
        folds.append(Fold(positions[~chosen], positions[chosen], held_out))
    _report(unlearned, task.strict_data)
    return folds


def _rows_to_choose_by(task: Task, frame: pd.DataFrame, share: RowSplit) -> Array:
    """Return the training rows that a fold validates on instead of fitting; none if too few."""
    if len(frame) >= MIN_ROWS:
        rows: Rows = rows_of(task, frame, "data")
        for split in (share, RowSplit(share.share, share.seed)):
            try:
                return eval_rows(rows, split)[0]
            except DataFormatError:
                # A group may be larger than the share. These rows are not scored, so the next best
                # split is good enough.
                continue
    return np.zeros(len(frame), dtype=bool)


def _report(unlearned: list[str], strict: bool) -> None:
    if not unlearned:
        return
    message = (
        f"Some labels have no training rows in a fold, which cannot predict them: "
        f"{_first(unlearned)}"
    )
    if strict:
        raise DataFormatError(f"{message}. Add rows, or pass strict_data=False")
    warnings.warn(message, DataWarning, stacklevel=user_level())


def _first(parts: list[str], most: int = 5) -> str:
    more = len(parts) - most
    return ", ".join(parts[:most]) + (f" and {more} more" if more > 0 else "")
