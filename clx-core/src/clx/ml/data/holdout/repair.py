"""Corrections of a split into training and eval rows: its size, and labels without training rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from clx.ml.data.holdout.stratify import Units

Array = np.ndarray[Any, Any]

TRAIN, EVAL = 0, 1


class _Balance:
    """A split with the rows that each label has on both sides.

    Args:
        units: the rows.
        part: 0 for training and 1 for eval, shape (units,); changed in place.
    """

    def __init__(self, units: Units, part: Array) -> None:
        self.units, self.part = units, part
        totals = units.totals()
        self.in_eval = _rows_by_label(units, np.flatnonzero(part == EVAL))
        self.in_train = [total - n for total, n in zip(totals, self.in_eval, strict=True)]
        self.totals = totals

    def lack(self, unit: int, share: float) -> float:
        """Return the number of eval rows that the labels of a unit still lack."""
        labels = self.units.labels[unit]
        return sum(self.totals[label] * share - self.in_eval[label] for label in labels)

    def keeps_labels(self, unit: int) -> bool:
        """Return whether each label of a unit has other training rows."""
        pairs = zip(self.units.labels[unit], self.units.counts[unit], strict=True)
        return all(self.in_train[label] > count for label, count in pairs)

    def move(self, unit: int, to: int) -> None:
        """Move a unit to the other part."""
        self.part[unit] = to
        sign = 1 if to == EVAL else -1
        pairs = zip(self.units.labels[unit], self.units.counts[unit], strict=True)
        for label, count in pairs:
            self.in_eval[label] += sign * count
            self.in_train[label] -= sign * count


def fill_up(units: Units, part: Array, target: int, generator: np.random.Generator) -> Array:
    """Move units between training and eval until the number of eval rows reaches the target.

    Stratification rounds the share of each label, and with many rare labels the errors add up.
    Units of labels that are short of eval rows are moved first. A label keeps its last training
    unit.

    Args:
        units: the rows.
        part: 0 for training and 1 for eval, shape (units,); changed in place.
        target: the number of eval rows.
        generator: decides between equally good choices.
    """
    balance = _Balance(units, part)
    share = target / int(units.sizes.sum())
    missing = target - int(units.sizes[part == EVAL].sum())
    to, sign = (EVAL, 1) if missing > 0 else (TRAIN, -1)
    others = generator.permutation(np.flatnonzero(part != to)).tolist() if missing else []
    others.sort(key=lambda unit: -sign * balance.lack(unit, share))
    left = abs(missing)
    for only_if_short in (True, False):
        for unit in others:
            size = int(units.sizes[unit])
            fits = size <= left and part[unit] != to
            if not fits or (only_if_short and sign * balance.lack(unit, share) <= 0):
                continue
            if to == TRAIN or balance.keeps_labels(unit):
                balance.move(unit, to)
                left -= size
    return _not_empty(balance)


def _not_empty(balance: _Balance) -> Array:
    """Move the smallest unit to an empty training part, or to an empty eval part if labels allow it."""
    part = balance.part
    order = np.argsort(balance.units.sizes, kind="stable").tolist()
    if not (part == TRAIN).any():
        part[order[0]] = TRAIN
    elif not (part == EVAL).any():
        part[[unit for unit in order if balance.keeps_labels(unit)][:1]] = EVAL
    return part


def cover_labels(units: Units, part: Array) -> Array:
    """Move eval units of labels without training rows to training, as long as other eval units remain.

    Args:
        units: the rows.
        part: 0 for training and 1 for eval, shape (units,); changed in place.
    """
    covered = {label for unit in np.flatnonzero(part == TRAIN) for label in units.labels[unit]}
    evaluated = np.flatnonzero(part == EVAL)
    for unit in evaluated[np.argsort(units.sizes[evaluated], kind="stable")].tolist():
        missing = set(units.labels[unit]) - covered
        if missing and (part == EVAL).sum() > 1:
            part[unit] = TRAIN
            covered |= missing
    return part


def fill_folds(part: Array, folds: int) -> Array:
    """Move a unit of the fold with the most units into each empty fold."""
    counts = np.bincount(part, minlength=folds)
    for empty in np.flatnonzero(counts == 0):
        largest = int(np.bincount(part, minlength=folds).argmax())
        part[np.flatnonzero(part == largest)[-1]] = empty
    return part


def _rows_by_label(units: Units, chosen: Array) -> list[int]:
    counts = [0] * units.label_count
    for unit in chosen.tolist():
        for label, count in zip(units.labels[unit], units.counts[unit], strict=True):
            counts[label] += count
    return counts
