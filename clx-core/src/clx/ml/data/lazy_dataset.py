"""Rows whose tokens are made when a batch needs them, in the workers of the data loader."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError
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
        what: the name of the data in messages.
    """

    task: Task
    columns: ColumnNames | None
    kept: tuple[str, ...]
    token: int
    what: str = "train_data"

    def frame(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return rows of the data in the task's format."""
        return own_frame(self.task, part, self.columns, self.what)

    def columns_of(self, frame: pd.DataFrame) -> tuple[dict[str, list[Any]], list[int] | None]:
        """Return the model's input in columns, and the row of each result; None for one per row."""
        task = self.task
        with author_code(task, "tokenize"):
            return tokenized_rows(
                frame, lambda rows: with_tokens(task.tokenize(rows), self.token), self.kept
            )

    def __call__(self, frame: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the model's input for each row in the task's format, or each of its results."""
        kept, _ = self.columns_of(frame)
        return [dict(zip(kept, values, strict=True)) for values in zip(*kept.values(), strict=True)]


def tokenizing(
    task: Task, tokenizer: Any, columns: ColumnNames | None, what: str = "train_data"
) -> Tokenizing:
    """Return how the rows of a task are tokenized."""
    return Tokenizing(task, columns, tuple(task.dataset_cols), stand_in(tokenizer), what)


@dataclass(frozen=True)
class LazyDataset:
    """Rows by position, for a data loader, which asks for the rows of a batch at once.

    Attributes:
        rows: the rows on disk.
        tokenize: makes the model's input of rows.
        lengths: the characters of each row on disk, shape (rows,). None if they are unknown.
        more: tokenized rows after those on disk.
        one_each: whether a row for which ``tokenize`` has several results is an error, because
            metrics need one prediction per row.
    """

    rows: LazyRows
    tokenize: Tokenizing
    lengths: np.ndarray[Any, Any] | None = None
    more: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    one_each: bool = False

    def __len__(self) -> int:
        return len(self.rows) + len(self.more)

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows of a batch. A row for which ``tokenize`` has several results gives these."""
        in_one_thread()
        on_disk = [position for position in positions if position < len(self.rows)]
        found = self.results(on_disk) if on_disk else []
        if len(on_disk) == len(positions):
            return found
        added = [self.more[p - len(self.rows)] for p in positions if p >= len(self.rows)]
        return [*found, *added]

    def subset(self, positions: Any) -> Any:
        """Return some rows, or all in another order, as a data set of torch."""
        from torch.utils.data import Subset

        rows: Any = self
        return Subset(rows, positions)

    def frame(self, positions: Sequence[int]) -> pd.DataFrame:
        """Return rows on disk in the task's format."""
        return self.tokenize.frame(self.rows.frame(positions))

    def results(self, positions: Sequence[int]) -> list[dict[str, Any]]:
        """Return what ``tokenize`` makes of rows on disk.

        Raises:
            ConfigError: a row has several results, although metrics need one.
        """
        found = self.tokenize(self.frame(positions))
        if self.one_each and len(found) != len(positions):
            raise ConfigError(
                f"tokenize() of the task {self.tokenize.task.name!r} returned {len(found)} results for "
                f"{len(positions)} rows of {self.tokenize.what}, and an evaluation with "
                f"tokenize_lazily=True needs one for each: evaluate on fewer rows, or without it"
            )
        return found

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
