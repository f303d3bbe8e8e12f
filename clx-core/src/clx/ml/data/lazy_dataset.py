"""Training rows whose tokens are made when a batch needs them, in the workers of the data loader."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.ml.data.dataset import tokenized_rows
from clx.ml.data.lazy_rows import LazyRows
from clx.ml.data.no_tokens import stand_in, with_tokens
from clx.ml.data.task_frames import ColumnNames, own_frame
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

    from clx.ml.task.task import Task

CHARACTERS_PER_TOKEN = 4
"""To compare rows that are measured in tokens with rows that are measured in characters."""


@dataclass(frozen=True)
class Tokenizing:
    """How rows of a frame become what the model is fed; the same in each process.

    Attributes:
        task: the task.
        columns: the data's names of the task's columns.
        kept: the columns that the model is fed.
        token: the token for texts that have none.
    """

    task: Task
    columns: ColumnNames | None
    kept: tuple[str, ...]
    token: int

    def frame(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return rows of the data in the task's format."""
        return own_frame(self.task, part, self.columns, "train_data")

    def __call__(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the model's input for each row in the task's format, or each of its results."""
        task = self.task
        with author_code(task, "tokenize"):
            kept, _ = tokenized_rows(
                frame, lambda rows: with_tokens(task.tokenize(rows), self.token), self.kept
            )
        return [dict(zip(kept, values, strict=True)) for values in zip(*kept.values(), strict=True)]


def tokenizing(task: Task, tokenizer: Any, columns: ColumnNames | None) -> Tokenizing:
    """Return how the rows of a task are tokenized."""
    return Tokenizing(task, columns, tuple(task.dataset_cols), stand_in(tokenizer))


@dataclass(frozen=True)
class LazyDataset:
    """Rows by position, for a data loader, which asks for the rows of a batch at once.

    Attributes:
        rows: the rows on disk.
        tokenize: makes the model's input of rows.
        lengths: the characters of each row on disk, shape (rows,). None if they are unknown.
        more: tokenized rows after those on disk.
    """

    rows: LazyRows
    tokenize: Tokenizing
    lengths: np.ndarray[Any, Any] | None = None
    more: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.rows) + len(self.more)

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows of a batch. A row for which ``tokenize`` has several results gives these."""
        in_one_thread()
        on_disk = [position for position in positions if position < len(self.rows)]
        found = self._tokenized(on_disk) if on_disk else []
        if len(on_disk) == len(positions):
            return found
        added = [self.more[p - len(self.rows)] for p in positions if p >= len(self.rows)]
        return [*found, *added]

    def _tokenized(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        return self.tokenize(self.tokenize.frame(self.rows.frame(positions)))

    def __getstate__(self) -> dict[str, Any]:
        # The process that trains orders the rows; workers need no lengths.
        return {**vars(self), "lengths": None}

    def with_more(self, rows: Dataset) -> LazyDataset:
        """Return these rows followed by tokenized ones, with the columns that those have."""
        tokenize = replace(self.tokenize, kept=tuple(rows.column_names))
        lengths = self.lengths
        if lengths is not None:
            sizes = [len(tokens) * CHARACTERS_PER_TOKEN for tokens in rows["input_ids"]]
            lengths = np.concatenate([lengths, np.asarray(sizes, lengths.dtype)])
        return replace(self, tokenize=tokenize, lengths=lengths, more=tuple(rows))


def in_one_thread() -> None:
    """Let a worker of the data loader tokenize in one thread: threads do not survive a fork."""
    from torch.utils.data import get_worker_info

    if get_worker_info() is not None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
