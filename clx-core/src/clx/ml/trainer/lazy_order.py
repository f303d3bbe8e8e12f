"""The order of very many rows: that of :class:`LengthGroupedSampler`, without lists of row numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from clx.ml.data.row_pass import numbers_on_disk
from clx.ml.trainer.sampling import MEGABATCH

AT_ONCE = 4096
"""Row numbers that become Python's at once."""


def longest_first(lengths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the row numbers, longest row first."""
    return np.argsort(-lengths, kind="stable")


class LazySampler(torch.utils.data.Sampler[int]):
    """Yields all row numbers in a random order, which depends on nothing but seed and epoch.

    With lengths, the order is that of :class:`clx.ml.trainer.sampling.LengthGroupedSampler`. A random
    order of very many rows is kept in a file, so that the memory does not grow with the rows.

    Args:
        rows: the number of rows.
        lengths: the length of each row, in any unit. None for batches of any lengths.
        batch_size: the number of rows per batch, over all processes.
        seed: any whole number.
    """

    def __init__(
        self, rows: int, lengths: np.ndarray[Any, Any] | None, batch_size: int, seed: int
    ) -> None:
        self.rows, self.lengths = rows, lengths
        self.batch_size, self.seed = batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; the Trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator()
        generator.manual_seed(self.seed + 1_000_003 * self.epoch)
        rows = numbers_on_disk(self.rows, np.int64)
        torch.randperm(self.rows, generator=generator, out=torch.from_numpy(rows))
        if self.lengths is None:
            for start in range(0, self.rows, AT_ONCE):
                yield from rows[start : start + AT_ONCE].tolist()
            return
        longest = self._sorted(rows, self.lengths)
        for number in map(int, self._batches(longest, generator)):
            yield from rows[number * self.batch_size : (number + 1) * self.batch_size].tolist()

    def _sorted(
        self, rows: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, Any]:
        """Sort the rows of each megabatch by length, and return the longest length of each batch."""
        span = MEGABATCH * self.batch_size
        longest = []
        for start in range(0, self.rows, span):
            mega = rows[start : start + span]
            sizes = lengths[mega]
            order = np.argsort(-sizes, kind="stable")
            rows[start : start + span] = mega[order]
            longest.append(sizes[order][:: self.batch_size])
        return np.concatenate(longest)

    def _batches(
        self, longest: np.ndarray[Any, Any], generator: torch.Generator
    ) -> np.ndarray[Any, Any]:
        """Return the numbers of the batches: the longest first, an incomplete one last."""
        complete = self.rows // self.batch_size
        order = torch.randperm(complete, generator=generator).numpy()
        if complete:
            first = int(np.argmax(longest[order]))
            order = np.concatenate([order[first : first + 1], np.delete(order, first)])
        return np.append(order, complete) if complete * self.batch_size < self.rows else order
