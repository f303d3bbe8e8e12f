"""The rows that are held out: the eval rows of a training, and the folds of a cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import DataFormatError, DataWarning, PluginError
from clx.ml.data.holdout.columns import groups_of, time_ranks
from clx.ml.data.holdout.repair import EVAL, cover_labels, fill_folds, fill_up
from clx.ml.data.holdout.stratify import Units, divide_groups, divide_rows, units_of
from clx.ml.data.texts import row_texts
from clx.ml.results.row_split import RowSplit
from clx.ml.task.author_code import author_code
from clx.problems import cell, examples
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task

Array = np.ndarray[Any, Any]

NEVER = -1
"""The fold of rows that are never held out."""


@dataclass(frozen=True)
class Rows:
    """Labeled rows to split.

    Attributes:
        frame: the rows, validated by their task.
        label_ids: the ids of each row's labels; empty lists for a task without labels.
        names: the label names, by id; empty for a task without labels.
        texts: the text of each row, None if the rows have no texts that can be compared.
        what: the name of the data in messages.
    """

    frame: pd.DataFrame
    label_ids: list[list[int]]
    names: list[str]
    texts: list[str] | None
    what: str

    def units(self, unit_of_row: Array) -> Units:
        """Return the rows as units that stay together."""
        return units_of(unit_of_row, self.label_ids, len(self.names))

    def by_text(self) -> Array:
        """Return a number per row; rows with equal texts have equal numbers."""
        if self.texts is None:
            return np.arange(len(self.frame))
        known: dict[str, int] = {}
        numbers = (known.setdefault(text, len(known)) for text in self.texts)
        return np.fromiter(numbers, np.int64, len(self.texts))


def rows_of(task: Task, frame: pd.DataFrame, what: str) -> Rows:
    """Return the rows of a validated frame with the labels that the task sees in them."""
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    if labels is not None and len(labels) != len(frame):
        raise PluginError(
            f"row_labels() of the task {task.name!r} must return one entry per row, but returned "
            f"{len(labels)} for {len(frame)} rows"
        )
    lists = [[]] * len(frame) if labels is None else [_as_names(label) for label in labels]
    ids: dict[str, int] = {}
    label_ids = [[ids.setdefault(name, len(ids)) for name in names] for names in lists]
    return Rows(frame, label_ids, list(ids), row_texts(frame, task.text_columns), what)


def _as_names(labels: Any) -> list[str]:
    """Return the label names of a row that has one name or a list of them."""
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        return [str(labels)]
    # The order of a set differs between processes.
    return sorted({str(label) for label in labels})


def eval_rows(rows: Rows, split: RowSplit) -> tuple[Array, RowSplit]:
    """Return the mask of the eval rows, shape (rows,), and the complete record of the split.

    Rows with the same text are on one side, unless the split follows a column. A label keeps a
    training row wherever groups and times allow it.

    Raises:
        DataFormatError: there are too few rows, texts, groups or times to split, a group is larger
            than the share, or the column of the split has missing or unsuitable values.
    """
    count = len(rows.frame)
    if count < 2:
        raise DataFormatError(f"{rows.what} has {count} row: a split needs at least 2")
    target = min(count - 1, max(1, round(split.share * count)))
    if split.time_column is not None:
        return _newest(rows, split.time_column, target), split
    split = replace(split, stratified=bool(rows.names))
    if split.group_column is not None:
        unit_of = _checked_groups(rows, split, target)
        return _set_aside(rows, unit_of, split, target), split
    # If no split keeps equal texts together, such as with one text per label, split single rows.
    for unit_of in (rows.by_text(), np.arange(count)):
        chosen = _set_aside(rows, unit_of, split, target)
        if chosen.any():
            return chosen, split
    raise DataFormatError(
        f"{rows.what} cannot be split: each label has only one row, which the training needs. Add "
        f"rows, or pass your own eval_data"
    )


def _set_aside(rows: Rows, unit_of: Array, split: RowSplit, target: int) -> Array:
    """Return the mask of the eval rows if units of rows stay together; it may select no row."""
    units, generator = rows.units(unit_of), np.random.default_rng(split.seed)
    shares = (1 - split.share, split.share)
    if split.group_column is not None:
        part = divide_groups(units, shares, (len(rows.frame), target), generator)
        part = cover_labels(units, part)
    else:
        part = cover_labels(units, divide_rows(units, shares, generator))
        part = fill_up(units, part, target, generator)
    return np.asarray(part[unit_of] == EVAL)


def _newest(rows: Rows, column: str, target: int) -> Array:
    """Return the newest rows, at most ``target``; rows of the same time stay together."""
    rank = time_ranks(rows.frame, column, rows.what)
    if rank.max() == 0:
        raise DataFormatError(
            f"{rows.what} cannot be split by time: column {column!r} has the same value in every row"
        )
    # newer[r] is the number of rows of rank r or above.
    newer = np.bincount(rank)[::-1].cumsum()[::-1]
    fitting = np.flatnonzero(newer <= target)
    # If the newest time alone has more rows than the target, all of them are held out.
    first = int(fitting[0]) if len(fitting) else int(rank.max())
    return np.asarray(rank >= first)


def _checked_groups(rows: Rows, split: RowSplit, target: int) -> Array:
    assert split.group_column is not None
    groups = groups_of(rows.frame, split.group_column, rows.what)
    if len(groups.names) < 2:
        raise DataFormatError(
            f"{rows.what} cannot be split by groups: column {split.group_column!r} has the same "
            f"value in every row"
        )
    sizes = np.bincount(groups.numbers)
    large = np.flatnonzero(sizes > target)
    if len(large):
        ordered = large[np.argsort(-sizes[large], kind="stable")]
        shown = [f"{cell(groups.names[g])} ({sizes[g]} rows)" for g in ordered[:5]]
        more = f" and {len(large) - 5} more" if len(large) > 5 else ""
        need = sizes.max() / len(rows.frame)
        raise DataFormatError(
            f"eval_data={split.share:g} of {rows.what} is {target} of {len(rows.frame)} rows, but "
            f"these groups of column {split.group_column!r} are larger: {', '.join(shown)}{more}. "
            f"Pass a share of at least {np.ceil(1000 * need) / 1000:g}, or split the data yourself "
            f"and pass eval_data"
        )
    return groups.numbers


def fold_of_rows(
    rows: Rows, folds: int, seed: int, group_column: str | None, time_column: str | None
) -> Array:
    """Return the fold of each row, shape (rows,): the one in which the row is held out.

    By time, the rows are cut into ``folds + 1`` blocks. The rows of the oldest block have the fold
    :data:`NEVER`. Each fold holds out the rows of one block and is fitted to the older blocks.

    Raises:
        DataFormatError: there are fewer rows, groups or times than folds need.
    """
    count = len(rows.frame)
    if count < folds:
        raise DataFormatError(f"{rows.what} has {count} rows, fewer than the {folds} folds")
    if time_column is not None:
        return _blocks(time_ranks(rows.frame, time_column, rows.what), folds, rows.what)
    generator = np.random.default_rng(seed)
    shares = [1 / folds] * folds
    if group_column is not None:
        groups = groups_of(rows.frame, group_column, rows.what)
        if len(groups.names) < folds:
            raise DataFormatError(
                f"{rows.what} has {len(groups.names)} groups in column {group_column!r} "
                f"({examples(groups.names)}), fewer than the {folds} folds"
            )
        units = rows.units(groups.numbers)
        part = divide_groups(units, shares, [count] * folds, generator)
        return np.asarray(part[groups.numbers])
    unit_of = rows.by_text()
    texts = int(unit_of.max()) + 1
    if texts < folds:
        warnings.warn(
            f"{rows.what} has {texts} different texts, fewer than the {folds} folds: equal texts are "
            f"in several folds, so metrics will be better than on new texts",
            DataWarning,
            stacklevel=user_level(),
        )
        unit_of = np.arange(count)
    return fill_folds(divide_rows(rows.units(unit_of), shares, generator), folds)[unit_of]


def _blocks(rank: Array, folds: int, what: str) -> Array:
    """Return the fold of each row by its time: blocks of about equal size, equal times together."""
    times = int(rank.max()) + 1
    if times < folds + 1:
        raise DataFormatError(
            f"{what} has {times} different times, but {folds} folds by time need at least {folds + 1}"
        )
    sizes = np.bincount(rank)
    block_of_time = np.empty(times, dtype=np.int64)
    block, filled = 0, 0
    for time, size in enumerate(sizes.tolist()):
        # Close a block at the time whose middle is nearest to its share of the rows, and early
        # enough that each block gets a time.
        due = (filled + size / 2) * (folds + 1) / len(rank) >= block + 1
        must = times - time <= folds - block
        if block < folds and time and (due or must):
            block += 1
        block_of_time[time] = block
        filled += size
    return np.asarray(block_of_time[rank] - 1)


def held_out_labels(rows: Rows, train: Array) -> list[str]:
    """Return the names of labels that occur in the rows, but not in the rows to train on."""
    known: Sequence[int] = [label for row in np.flatnonzero(train) for label in rows.label_ids[row]]
    seen = set(known)
    return [name for label, name in enumerate(rows.names) if label not in seen]
