"""Training and evaluation splits: the user's rows together with the model's input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError
from clx.ml.data.dataset import to_dataset
from clx.ml.data.lazy_dataset import LazyDataset
from clx.ml.data.lengths import input_lengths, input_limit, uncut_lengths
from clx.ml.data.no_tokens import stand_in, with_tokens
from clx.ml.data.row_targets import TARGET_COLUMNS, targets_of_frame, with_targets
from clx.ml.data.texts import row_texts
from clx.ml.data.token_counts import TokenCounts, watching
from clx.ml.data.windows import TextWindows
from clx.ml.task.author_code import author_code
from clx_runtime.windows import refuse_long

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Split:
    """A validated frame with its tokenized rows.

    Attributes:
        name: ``train``, ``eval`` or ``evaluation``.
        frame: the user's rows.
        dataset: the model's input: one row per row of the frame, or per window.
        lengths: tokens of each text before truncation, shape (texts,). None if unknown, as for pairs
            of texts.
        truncated: the number of texts that are truncated.
        cut: whether each text is truncated, shape (texts,). None if that is unknown.
        row_of: for each row of the dataset, the row of the frame that it is a window of. None if the
            dataset has one row per row of the frame.
        lazy: all rows, whose tokens are made when they are needed. The frame and everything else is
            then of a sample of them. None if the frame has all rows.
    """

    name: str
    frame: pd.DataFrame
    dataset: Dataset
    lengths: Sequence[int] | None
    truncated: int
    cut: Sequence[bool] | None = None
    row_of: Sequence[int] | None = None
    lazy: LazySplit | None = None

    @property
    def rows(self) -> int | None:
        """The number of the user's rows, None for a stream."""
        return len(self.frame) if self.lazy is None else self.lazy.rows

    @property
    def fed(self) -> Any:
        """What the Trainer reads: the dataset, or all rows of which it is a sample."""
        return self.dataset if self.lazy is None else self.lazy.dataset

    @property
    def on_disk(self) -> LazyDataset | None:
        """All rows, if the frame is a sample of them."""
        lazy = None if self.lazy is None else self.lazy.dataset
        return lazy if isinstance(lazy, LazyDataset) else None


@dataclass(frozen=True)
class LazySplit:
    """Rows that are tokenized while the model is trained or evaluated on them.

    Attributes:
        dataset: the rows for the data loader.
        rows: their number, None for a stream.
        label_counts: the number of checked rows per label, None if it is unknown.
        checked: the number of rows that the task validated.
        once: whether the rows can be read only once.
    """

    dataset: Any
    rows: int | None
    label_counts: Counter[str] | None = None
    checked: int = 0
    once: bool = False


def windows_of_split(task: Task, split: Split) -> TextWindows | None:
    """Return which rows of the dataset are windows of one text, None if each is a whole text."""
    if task.long_text != "window" or split.row_of is None:
        return None
    sizes = input_lengths(split.dataset) or [1] * len(split.row_of)
    return TextWindows(split.row_of, sizes, task.window_pooling)


def tokenised_split(
    task: Task, tokenizer: PreTrainedTokenizerBase, name: str, frame: pd.DataFrame
) -> Split:
    """Tokenize a frame.

    The lengths of the texts are recorded while the task's ``tokenize`` calls the tokenizer. If that is
    not possible (the tokenizer is slow, or the task does not call it once per row), texts that fill the
    limit are tokenized a second time.

    Args:
        task: the run's task.
        tokenizer: the run's tokenizer.
        name: the name of the split, such as ``train``.
        frame: rows that the task has validated.

    Raises:
        DataFormatError: a text is too long, and the run has ``strict_length``.
        ConfigError: the run has ``long_text="window"``, but the task's ``tokenize`` returns no windows.
    """
    row_of: list[int] = []
    with watching(tokenizer) as seen, author_code(task, "tokenize"):
        token = stand_in(tokenizer)
        dataset = to_dataset(
            with_targets(frame, targets_of_frame(task, frame)),
            lambda examples: with_tokens(task.tokenize(examples), token),
            [*task.dataset_cols, *TARGET_COLUMNS],
            name,
            row_of=row_of,
        )
    if task.long_text == "window" and not row_of:
        raise ConfigError(
            f"long_text='window' cannot be used with the task {task.name!r}: its tokenize() does not "
            f"return windows (super().tokenize(examples) does)"
        )
    split = Split(name, frame, dataset, None, 0, row_of=row_of or None)
    split = _measured(task, tokenizer, split, seen)
    if task.strict_length and split.truncated:
        where = frame.index if split.cut is None else frame.index[np.asarray(split.cut)]
        refuse_long(where, input_limit(task, tokenizer), len(frame), f"{name} data")
    return split


def _measured(
    task: Task, tokenizer: PreTrainedTokenizerBase, split: Split, seen: TokenCounts
) -> Split:
    """Return the split with the lengths of its texts and which of them are truncated."""
    frame, dataset = split.frame, split.dataset
    if seen.complete and len(seen.cut) == len(frame):
        lengths = [size for size in seen.lengths if size is not None]
        known = lengths if len(lengths) == len(frame) else None
        return replace(split, lengths=known, truncated=sum(seen.cut), cut=seen.cut)
    sizes, limit = input_lengths(dataset), input_limit(task, tokenizer)
    texts = row_texts(frame, task.text_columns) if len(task.text_columns) == 1 else None
    if sizes is None or texts is None or len(sizes) != len(frame):
        return split
    lengths = uncut_lengths(tokenizer, texts, sizes, limit)
    is_cut = [limit is not None and size > limit for size in lengths]
    return replace(split, lengths=lengths, truncated=sum(is_cut), cut=is_cut)
