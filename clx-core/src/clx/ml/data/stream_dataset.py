"""A stream of rows for the data loader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch.utils.data import IterableDataset, get_worker_info

from clx.ml.data.lazy_dataset import Tokenizing, in_one_thread
from clx.ml.data.row_stream import RowStream
from clx.ml.data.task_frames import names_of_data
from clx.ml.task.author_code import validate_frame

if TYPE_CHECKING:
    from datasets import Dataset


class StreamDataset(IterableDataset[dict[str, Any]]):
    """Yields tokenized rows in the order of the stream. Each part is validated before.

    Args:
        stream: the rows.
        tokenize: makes the model's input of rows.
        more: tokenized rows before those of the stream.
    """

    def __init__(
        self, stream: RowStream, tokenize: Tokenizing, more: Sequence[dict[str, Any]] = ()
    ) -> None:
        self.stream, self.tokenize, self.more = stream, tokenize, tuple(more)

    def with_more(self, rows: Dataset) -> StreamDataset:
        """Return tokenized rows, with the columns that they have, followed by those of the stream."""
        tokenize = replace(self.tokenize, kept=tuple(rows.column_names))
        return StreamDataset(self.stream, tokenize, list(rows))

    def set_epoch(self, epoch: int) -> None:
        """Let a shuffled Dataset choose another order; accelerate calls this."""
        self.stream.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        in_one_thread()
        worker = get_worker_info()
        shared = worker is not None and not self.stream.shares_itself
        task = self.tokenize.task
        for number, part in enumerate(self.stream.parts("train_data")):
            if number == 0 and (worker is None or worker.id == 0):
                yield from self.more
            # Each worker reads all rows, and tokenizes its share of the parts.
            if shared and worker is not None and number % worker.num_workers != worker.id:
                continue
            frame = self.tokenize.frame(part)
            first = int(part.index[0])
            what = f"train_data, rows {first} to {first + len(part) - 1} of the stream"
            with names_of_data(task, self.tokenize.columns):
                validate_frame(task, frame, what)
            yield from self.tokenize(frame)
