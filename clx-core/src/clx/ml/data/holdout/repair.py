"""Corrections of a split into training and eval rows: its size, and labels without training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from clx.ml.data.holdout.stratify import Units

Array = np.ndarray[Any, Any]

TRAIN, EVAL = 0, 1


def fill_up(units: Units, part: Array, target: int, generator: np.random.Generator) -> Array:
    """Move units between training and eval until the eval rows are as many as asked for.

    Stratification rounds the share of each label, which adds up if there are many rare labels. Units
    of labels that are short of eval rows are moved first. A label keeps its last training unit.

    Args:
        units: the rows.
        part: 0 for training and 1 for eval, shape (units,); changed in place.
        target: the number of eval rows.
        generator: decides between equally good choices.
    """
    total = int(units.sizes.sum())
    label_totals = units.totals()
    in_eval = _rows_by_label(units, np.flatnonzero(part == EVAL))
    in_train = [label_totals[label] - in_eval[label] for label in range(units.label_count)]

    def lack(unit: int) -> float:
        """Return how many eval rows the labels of a unit are short of."""
        return sum(label_totals[n] * target / total - in_eval[n] for n in units.labels[unit])

    def keeps_labels(unit: int) -> bool:
        pairs = zip(units.labels[unit], units.counts[unit], strict=True)
        return all(in_train[label] > count for label, count in pairs)

    def move(unit: int, to: int) -> None:
        part[unit] = to
        sign = 1 if to == EVAL else -1
        for label, count in zip(units.labels[unit], units.counts[unit], strict=True):
            in_eval[label] += sign * count
            in_train[label] -= sign * count

    def sweep(candidates: Iterable[int], allowed: Callable[[int], bool], to: int) -> None:
        nonlocal missing
        for unit in candidates:
            size = int(units.sizes[unit])
            if size <= abs(missing) and part[unit] != to and allowed(unit):
                move(unit, to)
                missing -= size if to == EVAL else -size

    missing = target - int(units.sizes[part == EVAL].sum())
    to = EVAL if missing > 0 else TRAIN
    candidates = generator.permutation(np.flatnonzero(part != to)).tolist() if missing else []
    sign = 1 if to == EVAL else -1
    candidates.sort(key=lambda unit: -sign * lack(unit))
    sweep(candidates, lambda u: sign * lack(u) > 0 and (to == TRAIN or keeps_labels(u)), to)
    sweep(candidates, lambda u: to == TRAIN or keeps_labels(u), to)
    return _not_empty(units, part, keeps_labels)


def _not_empty(units: Units, part: Array, keeps_labels: Callable[[int], bool]) -> Array:
    """Move the smallest unit to an empty training part, or to an empty eval part if labels allow it."""
    order = np.argsort(units.sizes, kind="stable").tolist()
    if not (part == TRAIN).any():
        part[order[0]] = TRAIN
    elif not (part == EVAL).any():
        part[[unit for unit in order if keeps_labels(unit)][:1]] = EVAL
    return part


def cover_labels(units: Units, part: Array) -> Array:
    """Move units from eval to training for labels without training rows, while others remain in eval.

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
