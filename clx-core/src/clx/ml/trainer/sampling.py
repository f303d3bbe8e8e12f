"""Seeded random orders of rows, with batches of similar length, and sorting by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from clx.ml.data.lazy_dataset import LazyDataset
from clx.ml.data.lengths import input_lengths

MEGABATCH = 50
"""Batches that are sorted together: enough for similar lengths, few enough for a random order."""


class LengthGroupedSampler(torch.utils.data.Sampler[int]):
    """Yields row numbers in a random order, such that batches hold rows of similar length.

    Rows are shuffled, sorted by length within megabatches, and divided into batches, which are
    shuffled. The batch with the longest row comes first: if memory is too small, training fails at
    once. The incomplete batch comes last. The order depends on nothing but seed and epoch, so it is the
    same in a resumed training and in all processes of a distributed one.

    Args:
        lengths: the number of tokens of each row.
        batch_size: the number of rows per batch, over all processes.
        seed: any whole number.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; the Trainer calls this."""
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
    """Return the position of each row in ``order``."""
    where = [0] * len(order)
    for position, row in enumerate(order):
        where[row] = position
    return where


def sorted_by_length(dataset: Any) -> tuple[Any, Sequence[int] | np.ndarray[Any, Any]]:
    """Return the dataset with its longest rows first, and the new position of each row.

    Args:
        dataset: tokenized rows, or rows on disk.
    """
    if isinstance(dataset, LazyDataset):
        if dataset.lengths is None:
            return dataset, np.arange(len(dataset))
        order = np.argsort(-dataset.lengths, kind="stable")
        return dataset.subset(order), np.argsort(order)
    lengths = input_lengths(dataset)
    if lengths is None:
        return dataset, list(range(len(dataset)))
    rows = length_order(lengths)
    return dataset.select(rows), positions(rows)


def restored(values: Any, where: Sequence[int] | np.ndarray[Any, Any]) -> Any:
    """Return arrays, or nested tuples or dicts of them, in their order before sorting.

    Args:
        values: in the sorted order.
        where: the sorted position of each row.
    """
    if isinstance(values, tuple | list):
        return type(values)(restored(value, where) for value in values)
    if isinstance(values, dict):
        return {key: restored(value, where) for key, value in values.items()}
    return None if values is None else values[np.asarray(where)]
