"""Batches of texts: which texts go through a model together, and how they are padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

WINDOW_BATCHES = 32
"""Batches that are sorted by length together, if the user sets the batch size."""

WINDOWS = {"cpu": 1024}
"""Texts that are sorted by length together, per device type, if the user sets no batch size."""

OTHER_WINDOW = 8192

TOKEN_BUDGETS = {"cpu": 384}
"""Tokens per batch, padding included, per device type (docs/background/performance.md).

On a CPU, a larger batch no longer fits the cache. Other devices need large batches to stay busy.
"""

OTHER_BUDGET = 16_384

BATCH_COSTS = {"cpu": 32}
"""The fixed cost of a batch, in tokens, per device type (docs/background/performance.md).

Other devices compute most batches of few texts in the same time.
"""

FEW_TEXTS = 128
"""Up to this many texts, clx searches for the batches with the lowest cost.

Among more texts sorted by length, each has neighbors of about its own length.
"""

MAX_TEXTS = {"cpu": 128}
OTHER_MAX_TEXTS = 1024


def window_size(device: str, batch_size: int | None) -> int:
    """Return how many texts are held in memory and sorted by length at once."""
    if batch_size is not None:
        return batch_size * WINDOW_BATCHES
    return WINDOWS.get(device, OTHER_WINDOW)


def batches(
    lengths: Sequence[int],
    device: str = "cpu",
    batch_size: int | None = None,
    most_tokens: int | None = None,
    equal: bool = False,
) -> Iterator[list[int]]:
    """Yield the positions of the texts in each batch, longest texts first.

    Args:
        lengths: the number of tokens of each text, shape (texts,).
        device: the device type, such as ``cpu`` or ``cuda``.
        batch_size: texts per batch. None fills the device's token budget.
        most_tokens: an upper limit for the token budget. None uses the device's budget.
        equal: whether the texts of a batch must have equal lengths.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    budget = TOKEN_BUDGETS.get(device, OTHER_BUDGET)
    if most_tokens is not None:
        budget = min(budget, most_tokens)
    most = batch_size or MAX_TEXTS.get(device, OTHER_MAX_TEXTS)
    cost = BATCH_COSTS.get(device)
    if cost is not None and batch_size is None and not equal and len(order) <= FEW_TEXTS:
        descending = [lengths[position] for position in order]
        for start, end in _cheapest(descending, budget, most, cost):
            yield order[start:end]
        return
    batch: list[int] = []
    longest = 0
    for position in order:
        longer = max(longest, lengths[position])
        over = batch_size is None and longer * (len(batch) + 1) > budget
        unequal = equal and lengths[position] != longest
        if batch and (over or unequal or len(batch) == most):
            yield batch
            batch, longer = [], lengths[position]
        batch.append(position)
        longest = longer
    if batch:
        yield batch


def _cheapest(
    lengths: Sequence[int], budget: int, most: int, cost: int
) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each batch, for the lowest total cost of padding and batches.

    Args:
        lengths: the number of tokens of each text, longest first.
        budget: tokens per batch, padding included.
        most: texts per batch.
        cost: the cost of a batch, in tokens.
    """
    count = len(lengths)
    # The lowest cost of the texts before a position, and where the last of their batches starts.
    least, starts = [0, *[-1] * count], [0] * (count + 1)
    for start, longest in enumerate(lengths):
        for end in range(start + 1, min(count, start + most) + 1):
            tokens = longest * (end - start)
            if tokens > budget and end - start > 1:
                break
            total = least[start] + tokens + cost
            if least[end] < 0 or total < least[end]:
                least[end], starts[end] = total, start
    ends = [count] if count else []
    while ends and starts[ends[-1]]:
        ends.append(starts[ends[-1]])
    for end in reversed(ends):
        yield starts[end], end


def padded(rows: Sequence[Sequence[int]], value: int, side: str) -> np.ndarray[Any, Any]:
    """Return rows of token ids as one int64 array, shape (rows, longest row).

    Args:
        rows: the token ids of each row.
        value: the padding value for shorter rows.
        side: the side that is padded, ``right`` or ``left``.
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
