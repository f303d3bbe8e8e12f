"""A stream of rows for the data loader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from clx.ml.data.lazy_dataset import Tokenizing, in_one_thread
from clx.ml.data.row_stream import RowStream
from clx.ml.data.task_frames import named_frame
from clx.ml.task.author_code import validate_frame


class StreamDataset(IterableDataset[dict[str, Any]]):
    """Yields tokenized rows in the order of the stream. Each part is validated before.

    Args:
        stream: the rows.
        tokenize: makes the model's input of rows.
    """

    def __init__(self, stream: RowStream, tokenize: Tokenizing) -> None:
        self.stream, self.tokenize = stream, tokenize

    def set_epoch(self, epoch: int) -> None:
        """Let a shuffled Dataset choose another order; accelerate calls this."""
        self.stream.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        in_one_thread()
        worker = get_worker_info()
        shared = worker is not None and not self.stream.shares_itself
        task = self.tokenize.task
        for number, part in enumerate(self.stream.parts("train_data")):
            # Each worker reads all rows, and tokenizes its share of the parts.
            if shared and worker is not None and number % worker.num_workers != worker.id:
                continue
            frame = named_frame(task, part, self.tokenize.columns, "train_data")
            first = int(part.index[0])
            what = f"train_data, rows {first} to {first + len(part) - 1} of the stream"
            validate_frame(task, frame, what)
            yield from self.tokenize(part)
