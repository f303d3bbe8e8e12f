"""Rows to evaluate on that stay on disk: a sample of them, and tokens when a batch needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.ml.data.arrow_rows import lazy_rows
from clx.ml.data.frames import open_source
from clx.ml.data.holdout.arguments import seed_of
from clx.ml.data.lazy_dataset import LazyDataset, tokenizing
from clx.ml.data.lazy_results import lazy_results
from clx.ml.data.lazy_rows import LazyRows
from clx.ml.data.objects import take_split
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.row_pass import Passed, Representative, pass_over, representative_rows
from clx.ml.data.row_stream import is_stream
from clx.ml.data.splits import LazySplit, Split, tokenised_split
from clx.ml.data.task_frames import ColumnNames, names_of_data, own_frame, validated_frame
from clx.ml.evaluation.row_targets import has_targets
from clx.ml.results.mistakes import confident_mistakes, suspicious_labels
from clx.ml.task.author_code import validate_frame

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

MAX_IN_MEMORY = 10_000
"""Up to this many rows to evaluate on are read into memory, also with ``tokenize_lazily``."""


@dataclass(frozen=True)
class DiskRows:
    """Validated rows to evaluate on that stay where they are.

    Attributes:
        rows: the rows.
        columns: the data's names of the task's columns.
        what: the name of the data in messages.
        passed: what a pass over all rows found.
        chosen: rows that stand for all rows.
        frame: the sample in the task's format: these rows, and others that the checks need.
    """

    rows: LazyRows
    columns: ColumnNames | None
    what: str
    passed: Passed
    chosen: Representative
    frame: pd.DataFrame

    def with_rows(self, task: Task, positions: Iterable[int]) -> DiskRows:
        """Return the same rows with more of them in the sample."""
        wanted = np.union1d(self.chosen.shown, np.asarray([*positions], dtype=np.int64))
        frame = own_frame(task, self.rows.frame(wanted.tolist()), self.columns, self.what)
        return replace(self, frame=frame)

    def whole(self, task: Task) -> pd.DataFrame:
        """Return all rows in the task's format."""
        return own_frame(task, self.rows.frame(range(len(self.rows))), self.columns, self.what)

    def split(self, task: Task, tokenizer: PreTrainedTokenizerBase, name: str) -> Split:
        """Return a split whose sample is tokenized.

        All rows are read and tokenized if some have soft labels, which are columns of tokenized rows.
        If the task has several results per row, all rows are tokenized once to count them.
        """
        split = tokenised_split(task, tokenizer, name, self.frame)
        if self.passed.soft or has_targets(split.dataset):
            return tokenised_split(task, tokenizer, name, self.whole(task))
        tokenize = tokenizing(task, tokenizer, self.columns, self.what)
        dataset = LazyDataset(self.rows, tokenize, self.chosen.lengths, one_each=True)
        if split.row_of is not None:
            dataset = lazy_results(dataset, name)
        passed = self.passed
        lazy = LazySplit(dataset, len(self.rows), passed.label_counts, passed.checked)
        return replace(split, lazy=lazy)


def rows_to_evaluate(
    task: Task,
    data: Any,
    what: str,
    reading: Reading = DEFAULT_READING,
    columns: ColumnNames | None = None,
    split: str | None = None,
) -> pd.DataFrame | DiskRows:
    """Return validated rows: many rows of a lazy run stay on disk, others become a frame.

    All of them are validated now, because an error during the evaluation would come after a training.

    Args:
        task: the task, which has inferred its config.
        data: the data, as for :func:`clx.ml.data.frames.to_frame`.
        what: the name of the data in messages.
        reading: how to read a text file.
        columns: the data's names of the task's columns, None for the run's.
        split: the split to take of a ``DatasetDict``.

    Raises:
        DataFormatError: the data cannot be read, or is not in the task's format.
    """
    if not task.tokenize_lazily:
        return validated_frame(task, data, what, reading, columns, split)
    opened = take_split(open_source(data, replace(reading, lazily=True)), split, what)
    if is_stream(opened):
        return validated_frame(task, opened, what, reading, columns)
    rows = lazy_rows(opened, what)
    if len(rows) <= MAX_IN_MEMORY:
        return validated_frame(task, rows.frame(range(len(rows))), what, reading, columns)
    chosen = representative_rows(task, rows, columns, what, seed_of(task.training_args))
    with names_of_data(task, columns):
        validate_frame(task, chosen.frame, f"{what} (a sample of {len(rows)} rows)")
    passed = pass_over(task, rows, columns, what)
    found = DiskRows(rows, columns, what, passed, chosen, chosen.frame)
    return found.with_rows(task, ())


def with_listed_texts(
    examples: pd.DataFrame, dataset: LazyDataset, columns: Iterable[str]
) -> pd.DataFrame:
    """Insert the texts of the rows that a report lists, and return the rows.

    Args:
        examples: one row per row on disk. Its index is replaced with that of the data.
        dataset: the rows. Those of a frame get all texts, which are in memory already.
        columns: the task's text columns. They are missing in rows that no report lists.
    """
    import pandas as pd

    examples.index = pd.RangeIndex(len(examples))
    tables = (confident_mistakes(examples), suspicious_labels(examples))
    listed = sorted({position for table in tables for position in table.index.tolist()})
    if dataset.rows.in_memory:
        listed = list(range(len(examples)))
    frame = dataset.frame(listed)
    names = [name for name in columns if name in frame.columns and name not in examples.columns]
    for place, name in enumerate(names):
        texts = frame[name].set_axis(pd.Index(listed, dtype=np.int64))
        examples.insert(place, name, texts.reindex(examples.index))
    examples.index = dataset.rows.index
    return examples
