"""Divide rows among parts so that each label has its share of rows in every part.

Single rows, and rows with the same text, are divided by iterative stratification: Sechidis, Tsoumakas,
Vlahavas (2011), "On the Stratification of Multi-Label Data". It places the rows of the rarest label
first. Groups are divided greedily, the largest first.

The algorithms divide units. A unit is a set of rows that must stay together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

UNPLACED = -1


@dataclass(frozen=True)
class Units:
    """Rows that stay together, with their labels.

    Attributes:
        sizes: the number of rows of each unit, shape (units,).
        labels: for each unit, its label ids, ascending.
        counts: for each unit, the number of its rows with each of these labels.
        label_count: the number of labels.
    """

    sizes: Array
    labels: list[list[int]]
    counts: list[list[int]]
    label_count: int

    def totals(self) -> list[int]:
        """Return the number of rows of each label."""
        totals = [0] * self.label_count
        for labels, counts in zip(self.labels, self.counts, strict=True):
            for label, count in zip(labels, counts, strict=True):
                totals[label] += count
        return totals


def units_of(unit_of_row: Array, label_ids: Sequence[Sequence[int]], label_count: int) -> Units:
    """Return the units of rows.

    Args:
        unit_of_row: the unit of each row, counted from 0, shape (rows,).
        label_ids: the label ids of each row, without repetitions.
        label_count: the number of labels.
    """
    sizes = np.bincount(unit_of_row)
    row_of = np.repeat(np.arange(len(label_ids)), [len(ids) for ids in label_ids])
    flat = np.fromiter((label for ids in label_ids for label in ids), np.int64, len(row_of))
    keys, counts = np.unique(unit_of_row[row_of] * max(1, label_count) + flat, return_counts=True)
    labels_of: list[list[int]] = [[] for _ in sizes]
    counts_of: list[list[int]] = [[] for _ in sizes]
    for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
        unit, label = divmod(key, max(1, label_count))
        labels_of[unit].append(label)
        counts_of[unit].append(count)
    return Units(sizes, labels_of, counts_of, label_count)


def divide_rows(units: Units, shares: Sequence[float], generator: np.random.Generator) -> Array:
    """Return the part of each unit, shape (units,), by iterative stratification.

    Args:
        units: the units to divide.
        shares: the share of rows that each part should have; they add up to 1.
        generator: decides between equally good choices.
    """
    totals, sizes = units.totals(), units.sizes.tolist()
    needed = [[share * total for share in shares] for total in totals]
    needed_rows = [share * sum(sizes) for share in shares]
    left, part = list(totals), [UNPLACED] * len(sizes)
    having = _units_by_label(units, generator)

    def place(unit: int, lack: list[float]) -> None:
        """Put a unit into the part with the largest lack; break ties in favor of the fewest rows."""
        most = max(lack)
        best = lack.index(most)
        if lack.count(most) > 1:
            tied = [p for p, value in enumerate(lack) if value == most]
            best = max(tied, key=needed_rows.__getitem__)
        part[unit] = best
        needed_rows[best] -= sizes[unit]
        for label, count in zip(units.labels[unit], units.counts[unit], strict=True):
            needed[label][best] -= count
            left[label] -= count

    while rest := [label for label, count in enumerate(left) if count > 0]:
        label = min(rest, key=left.__getitem__)
        for unit in having[label]:
            if part[unit] == UNPLACED:
                place(unit, needed[label])
    unlabeled = np.flatnonzero(np.array(part) == UNPLACED)
    for unit in _largest_first(unlabeled, units.sizes, generator):
        place(unit, needed_rows)
    return np.array(part)


def _units_by_label(units: Units, generator: np.random.Generator) -> list[list[int]]:
    """Return the units that have each label, the largest first, equal ones in random order."""
    having: list[list[int]] = [[] for _ in range(units.label_count)]
    for unit in _largest_first(np.arange(len(units.sizes)), units.sizes, generator):
        for label in units.labels[unit]:
            having[label].append(unit)
    return having


def _largest_first(units: Array, sizes: Array, generator: np.random.Generator) -> list[int]:
    shuffled = generator.permutation(units)
    order: list[int] = shuffled[np.argsort(-sizes[shuffled], kind="stable")].tolist()
    return order


def divide_groups(
    units: Units, shares: Sequence[float], limits: Sequence[float], generator: np.random.Generator
) -> Array:
    """Return the part of each unit, shape (units,): the emptiest one for its labels, largest unit first.

    Args:
        units: the units to divide.
        shares: the share of rows that each part should have.
        limits: the most rows of each part; an empty part takes a unit of any size.
        generator: decides between equally good choices.
    """
    totals = [max(1, total) for total in units.totals()]
    all_rows = int(units.sizes.sum())
    filled = np.zeros((len(shares), units.label_count + 1))
    inverse, most = 1 / np.asarray(shares), np.asarray(limits)
    part = np.zeros(len(units.sizes), dtype=np.int64)
    for unit in _largest_first(np.arange(len(units.sizes)), units.sizes, generator):
        size = int(units.sizes[unit])
        labels = [*units.labels[unit], units.label_count]
        counts = np.array([*units.counts[unit], size], dtype=np.float64)
        weights = counts / np.array([*(totals[label] for label in labels[:-1]), all_rows]) ** 2
        cost = (filled[:, labels] @ weights) * inverse
        rows = filled[:, -1]
        cost[(rows > 0) & (rows + size > most)] = np.inf
        if not np.isfinite(cost).any():
            cost = rows - most
        best = int(generator.choice(np.flatnonzero(cost == cost.min())))
        part[unit] = best
        filled[best, labels] += counts
    return part
