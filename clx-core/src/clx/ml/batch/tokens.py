"""Sampled texts with their tokens, and batches of them as an engine forms them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from clx.ml.data.lengths import AT_ONCE, input_limit
from clx.ml.results.estimates import Tokens
from clx_runtime.batches import batches, window_size
from clx_runtime.texts import split_pair

if TYPE_CHECKING:
    from clx.ml.task.task import Task

T = TypeVar("T")

GOLDEN = 0.6180339887498949
"""Any number of its first multiples, modulo 1, is spread evenly."""


@dataclass(frozen=True)
class Group:
    """Texts that share a batch.

    Attributes:
        texts: the texts.
        tokens: the tokens of all of them that the model reads.
    """

    texts: list[str]
    tokens: int


@dataclass(frozen=True)
class SampledTexts:
    """Sampled texts with their tokens.

    Attributes:
        runs: consecutive texts from several places.
        counts: text → its tokens before truncation, special tokens included.
        limit: the most tokens of a text that the model reads, None if it reads all.
    """

    runs: Sequence[Sequence[str]]
    counts: Mapping[str, int]
    limit: int | None

    @property
    def rows(self) -> int:
        """The number of sampled rows."""
        return sum(map(len, self.runs))

    def read(self, text: str) -> int:
        """Return the tokens of a text that the model reads."""
        count = self.counts[text]
        return max(1, count if self.limit is None else min(count, self.limit))

    def windows(self, size: int) -> list[list[str]]:
        """Return the texts that are computed, by window: equal texts of a window are computed once."""
        return [
            list(dict.fromkeys(run[start : start + size]))
            for run in self.runs
            for start in range(0, len(run), size)
        ]

    def tokens(self) -> Tokens:
        """Return the statistics of all sampled rows."""
        counts = sorted(self.counts[text] for run in self.runs for text in run)
        over = sum(1 for count in counts if self.limit is not None and count > self.limit)
        computed = sum(map(len, self.windows(window_size("cpu", None))))
        return Tokens(
            sampled=len(counts),
            mean=round(sum(counts) / len(counts), 2),
            p95=counts[min(len(counts) - 1, int(0.95 * len(counts)))],
            limit=self.limit,
            over_limit=over / len(counts),
            repeated=1 - computed / len(counts),
        )

    def computed(self, window: int) -> tuple[float, float]:
        """Return the tokens that are computed per row, and the relative standard error of that.

        Args:
            window: how many texts an engine gets at once.
        """
        windows = self.windows(window)
        mean = sum(self.read(text) for texts in windows for text in texts) / self.rows
        counts = [float(self.read(text)) for texts in windows for text in texts]
        by_run = [sum(map(self.read, run)) / len(run) for run in self.runs]
        # Texts from one place resemble each other more than texts from other places.
        return mean, max(relative_error(counts), relative_error(by_run))

    def groups(self, device: str, batch_size: int | None) -> list[Group]:
        """Return the batches of all windows; any first few of them are spread over all lengths."""
        formed = []
        for window in self.windows(window_size(device, batch_size)):
            lengths = [self.read(text) for text in window]
            formed += [
                Group([window[place] for place in batch], sum(lengths[place] for place in batch))
                for batch in batches(lengths, device, batch_size)
            ]
        formed.sort(key=lambda group: -group.tokens / len(group.texts))
        return spread(formed)


def sampled_texts(task: Task, runs: Sequence[Sequence[str]]) -> SampledTexts:
    """Return texts with their tokens, counted with the task's tokenizer."""
    distinct = list({text: None for run in runs for text in run})
    counts: list[int] = []
    for start in range(0, len(distinct), AT_ONCE):
        columns = split_pair(distinct[start : start + AT_ONCE])
        encoded = task.tokenizer(*columns, truncation=False, padding=False, verbose=False)
        counts += map(len, encoded["input_ids"])
    limit = input_limit(task, task.tokenizer)
    return SampledTexts(runs, dict(zip(distinct, counts, strict=True)), limit)


def relative_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of values, as a share of the mean; 0 for one value."""
    mean = sum(values) / len(values)
    if len(values) < 2 or mean <= 0:
        return 0.0
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return float((variance / len(values)) ** 0.5 / mean)


def spread(items: Sequence[T]) -> list[T]:
    """Return sorted items in an order whose first few are spread over all of them."""
    places = [int(number * GOLDEN % 1 * len(items)) for number in range(3 * len(items))]
    return [items[place] for place in dict.fromkeys([*places, *range(len(items))])]
