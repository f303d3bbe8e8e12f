"""Which texts go through a model together, and how they are padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

WINDOW_BATCHES = 32
"""Batches of a given size that are sorted by length together."""

WINDOWS = {"cpu": 1024}
"""Texts that are sorted by length together, by kind of device, when no batch size is given."""

OTHER_WINDOW = 8192

TOKEN_BUDGETS = {"cpu": 384}
"""Tokens of a batch, padding counted, by kind of device (docs/performance.md has the measurement).

On a CPU more only leaves the cache; on other devices a batch has to be large to keep them busy.
"""

OTHER_BUDGET = 16_384

MAX_TEXTS = {"cpu": 128}
OTHER_MAX_TEXTS = 1024


def window_size(device: str, batch_size: int | None) -> int:
    """Return how many texts are in memory, and sorted, at once."""
    if batch_size is not None:
        return batch_size * WINDOW_BATCHES
    return WINDOWS.get(device, OTHER_WINDOW)


def batches(
    lengths: Sequence[int],
    device: str = "cpu",
    batch_size: int | None = None,
    most_tokens: int | None = None,
) -> Iterator[list[int]]:
    """Yield the positions of the texts of each batch, longest first.

    Args:
        lengths: tokens of each text.
        device: the kind of device, such as ``cpu`` or ``cuda``.
        batch_size: the texts of a batch; None takes as many as the device's token budget allows.
        most_tokens: the budget, where the device's is larger; None for the device's.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    yield from in_order(order, lengths, device, batch_size, most_tokens)


def in_order(
    order: Sequence[int],
    lengths: Sequence[int],
    device: str,
    batch_size: int | None,
    most_tokens: int | None = None,
) -> Iterator[list[int]]:
    """Yield successive positions of ``order`` as batches; see :func:`batches`."""
    budget = TOKEN_BUDGETS.get(device, OTHER_BUDGET)
    if most_tokens is not None:
        budget = min(budget, most_tokens)
    most = batch_size or MAX_TEXTS.get(device, OTHER_MAX_TEXTS)
    batch: list[int] = []
    longest = 0
    for position in order:
        longer = max(longest, lengths[position])
        over = batch_size is None and longer * (len(batch) + 1) > budget
        if batch and (over or len(batch) == most):
            yield batch
            batch, longer = [], lengths[position]
        batch.append(position)
        longest = longer
    if batch:
        yield batch


def padded(rows: Sequence[Sequence[int]], value: int, side: str) -> np.ndarray[Any, Any]:
    """Return rows of token ids as one array of int64, shape (rows, longest row).

    Args:
        rows: lists of numbers.
        value: what shorter rows are filled up with.
        side: ``right`` or ``left``, where they are filled up.
    """
    import numpy as np

    width = max(map(len, rows))
    array = np.full((len(rows), width), value, dtype=np.int64)
    for number, row in enumerate(rows):
        if side == "left":
            array[number, width - len(row) :] = row
        else:
            array[number, : len(row)] = row
    return array
