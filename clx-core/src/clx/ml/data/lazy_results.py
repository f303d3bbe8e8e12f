"""Results by position of a task that has several per row, such as blocks of a long text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from clx.ml.data.dataset import CHUNK_ROWS
from clx.ml.data.lazy_dataset import LazyDataset, in_one_thread
from clx.ml.machine.distributed import is_main_process
from clx.ml.machine.progress import progress_bar


@dataclass(frozen=True)
class LazyResults(LazyDataset):
    """The tokenized results of rows on disk. A row is tokenized again when one of its results is read.

    Attributes:
        starts: the position of the first result of each row, and the number of results at the end,
            shape (rows + 1,).
        lengths: the tokens of each result, shape (results,). None if they are unknown.
    """

    starts: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(1, np.int64))

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitems__(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return some results."""
        in_one_thread()
        wanted = np.asarray(positions, dtype=np.int64)
        row_of = np.searchsorted(self.starts, wanted, side="right") - 1
        rows = np.unique(row_of)
        found = self.results(rows.tolist())
        counts = self.starts[rows + 1] - self.starts[rows]
        # The place of the first result of each of these rows among those that were found.
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        places = first[np.searchsorted(rows, row_of)] + wanted - self.starts[row_of]
        return [found[place] for place in places.tolist()]


def lazy_results(dataset: LazyDataset, name: str) -> LazyResults:
    """Tokenize all rows once to count their results, and return the results by position.

    Args:
        dataset: the rows.
        name: the name of the data in the progress bar.
    """
    counts: list[np.ndarray[Any, Any]] = []
    sizes: list[np.ndarray[Any, Any] | None] = []
    parts = dataset.rows.parts(CHUNK_ROWS)
    bar = progress_bar(
        total=len(dataset.rows),
        desc=f"count results of {name}",
        unit="rows",
        delay=1,
        disable=not is_main_process(),
    )
    with bar:
        for _, part in parts:
            kept, row_of = dataset.tokenize.columns_of(dataset.tokenize.frame(part))
            of_row = np.arange(len(part)) if row_of is None else np.asarray(row_of)
            counts.append(np.bincount(of_row, minlength=len(part)))
            tokens = kept.get("input_ids")
            sizes.append(None if tokens is None else np.fromiter(map(len, tokens), np.int32))
            bar.update(len(part))
    known = [each for each in sizes if each is not None]
    lengths = np.concatenate(known) if len(known) == len(sizes) else None
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    own = {each.name: getattr(dataset, each.name) for each in fields(LazyDataset)}
    return LazyResults(**{**own, "lengths": lengths, "one_each": False}, starts=starts)
