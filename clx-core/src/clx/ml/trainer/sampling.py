"""The order of training rows: batches of like length, shuffled, seeded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.data.lengths import input_lengths

if TYPE_CHECKING:
    from datasets import Dataset

MEGABATCH = 50
"""Batches that are sorted together: enough for like lengths, few enough to stay random."""


class LengthGroupedSampler(torch.utils.data.Sampler[int]):
    """Yields row numbers so that batches hold rows of like length, in an order of its own seed.

    Rows are shuffled, sorted by length within megabatches, cut into batches, and the batches are
    shuffled. The batch with the longest row comes first, so that memory runs out at once if it
    does; the incomplete batch comes last. The order depends on the seed and the epoch alone, so
    that a resumed training and every process of a distributed one see the same.

    Args:
        lengths: tokens of each row.
        batch_size: rows of one batch over all processes.
        seed: any whole number.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch's order; called by the Trainer."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.seed + 1_000_003 * self.epoch)
        rows = torch.randperm(len(self.lengths), generator=generator).tolist()
        batches = []
        for start in range(0, len(rows), MEGABATCH * self.batch_size):
            mega = rows[start : start + MEGABATCH * self.batch_size]
            mega.sort(key=lambda row: -self.lengths[row])
            batches += [mega[i : i + self.batch_size] for i in range(0, len(mega), self.batch_size)]
        last = [batches.pop()] if len(batches[-1]) < self.batch_size else []
        order = torch.randperm(len(batches), generator=generator).tolist()
        if order:
            longest = max(order, key=lambda i: self.lengths[batches[i][0]])
            order.remove(longest)
            order.insert(0, longest)
        for batch in [*(batches[i] for i in order), *last]:
            yield from batch


def length_order(lengths: Sequence[int]) -> list[int]:
    """Return the row numbers, longest row first."""
    return sorted(range(len(lengths)), key=lambda row: -lengths[row])


def positions(order: Sequence[int]) -> list[int]:
    """Return where each row is in ``order``."""
    where = [0] * len(order)
    for position, row in enumerate(order):
        where[row] = position
    return where


def sorted_by_length(dataset: Dataset) -> tuple[Dataset, list[int]]:
    """Return the dataset with its longest rows first, and where each of its rows now is."""
    lengths = input_lengths(dataset)
    if lengths is None:
        return dataset, list(range(len(dataset)))
    order = length_order(lengths)
    return dataset.select(order), positions(order)


def restored(values: Any, where: Sequence[int]) -> Any:
    """Return arrays (or nested tuples or dicts of them) in the order from before sorting."""
    if isinstance(values, tuple | list):
        return type(values)(restored(value, where) for value in values)
    if isinstance(values, dict):
        return {key: restored(value, where) for key, value in values.items()}
    return None if values is None else values[list(where)]
