"""Collect the facts that a training needs about rows that stay on disk.

A task sees frames. First it validates, and infers its config from, *representative* rows: a random
sample, the first row of each value in the columns of labels, and a row without a text if there is one.
Then it validates all rows, a part at a time, or parts of very many rows.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import DataFormatError
from clx.ml.data.annotations import from_annotation_tool
from clx.ml.data.first_rows import FirstRows
from clx.ml.data.lazy_rows import PART_ROWS, LazyRows
from clx.ml.data.row_targets import targets_of_frame
from clx.ml.data.task_frames import ColumnNames, column_names, names_of_data, own_frame
from clx.ml.machine.distributed import is_main_process
from clx.ml.machine.progress import progress_bar
from clx.ml.task.author_code import author_code, validate_frame
from clx.settings import cache_dir

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task

SAMPLE_ROWS = 10_000
"""The rows that are tokenized before the training, for the probe and for the check of the data."""

MAX_CHECKED = 1_000_000
"""The most rows that the task validates: of more rows, parts that are spread over all of them."""

MAX_SHOWN = 5_000
"""The most rows that are added to the sample because they have a value that it lacks."""

MAX_LEAKED = 500
"""The most eval texts in the training data whose rows are added to the samples."""

IN_MEMORY = 1_000_000
"""Arrays of more numbers are in files."""


@dataclass(frozen=True)
class Representative:
    """Rows that stand for all rows.

    Attributes:
        frame: the rows in the task's format; their index names them.
        sampled: the positions of the random sample, ascending.
        first: the positions of the first row of each value in the columns of labels.
        complete: whether these are all values.
        lengths: the characters of each row's texts, shape (rows,). None if the texts are unknown.
    """

    frame: pd.DataFrame
    sampled: np.ndarray[Any, Any]
    first: np.ndarray[Any, Any]
    complete: bool
    lengths: np.ndarray[Any, Any] | None

    @property
    def shown(self) -> np.ndarray[Any, Any]:
        """The positions of the sample, and of as many first rows as it may be enlarged by."""
        return np.union1d(self.sampled, self.first[:MAX_SHOWN])


@dataclass(frozen=True)
class Passed:
    """The result of validating rows.

    Attributes:
        checked: the number of rows that the task validated.
        label_counts: the number of these rows per label; None for a task without labels.
        positions: the positions of rows with one text, ascending.
        hashes: a hash of each of these texts, which is valid in this process only.
        soft: whether a row has soft labels.
    """

    checked: int
    label_counts: Counter[str] | None
    positions: np.ndarray[Any, Any]
    hashes: np.ndarray[Any, Any]
    soft: bool = False


def numbers_on_disk(count: int, dtype: Any) -> np.ndarray[Any, Any]:
    """Return an array for numbers, whose memory the system can give to others if it is large."""
    if count <= IN_MEMORY:
        return np.zeros(count, dtype)
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    # The file has no name, so that nothing is left of a process that is killed.
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype, "w+", shape=(count,))


def representative_rows(
    task: Task, rows: LazyRows, columns: ColumnNames | None, what: str, seed: int
) -> Representative:
    """Return a random sample, and the first row of each value in the columns of labels.

    Raises:
        DataFormatError: a column that the user named is missing, or the rows are an annotation tool's
            export.
    """
    generator = np.random.default_rng(seed)
    size = min(SAMPLE_ROWS, len(rows))
    sampled = np.sort(generator.choice(len(rows), size, replace=False))
    names = column_names(task) if columns is None else columns
    read = [names.label] if names.label is not None else task.label_column_names
    cells = FirstRows()
    labels = [name for name in read if name in rows.columns]
    if labels:
        for start, frame in _shown(rows.parts(PART_ROWS, labels), len(rows), "read labels"):
            for name in labels:
                cells.add(start, name, frame[name])
    lengths, without = _measured(rows, names.text, task)
    first = np.asarray(sorted(cells.rows | without), dtype=np.int64)
    frame = rows.frame(np.union1d(sampled, first).tolist())
    if from_annotation_tool(frame.head(100))[0].columns.tolist() != frame.columns.tolist():
        raise DataFormatError(
            f"{what} is the export of an annotation tool, which tokenize_lazily=True does not read: "
            f"train without it, or write the texts and labels into a file of their own"
        )
    return Representative(
        own_frame(task, frame, columns, what), sampled, first, not cells.incomplete, lengths
    )


def _measured(
    rows: LazyRows, text: str | None, task: Task
) -> tuple[np.ndarray[Any, Any] | None, set[int]]:
    """Return the characters of each row, and the position of a row without a text, if there is one."""
    names = [text] if text is not None else list(task.text_columns)
    if not set(names) <= set(rows.columns):
        return None, set()
    lengths = numbers_on_disk(len(rows), np.int32)
    for start, sizes in rows.characters(names):
        if sizes is None:
            part = rows.frame(range(start, min(start + PART_ROWS, len(rows))), names)
            bad = ~part.map(lambda cell: isinstance(cell, str)).all(axis=1).to_numpy()
            # A mapped source may have texts of a type that Arrow does not measure.
            return None, {start + int(np.argmax(bad))} if bad.any() else set()
        lengths[start : start + len(sizes)] = sizes
    return lengths, set()


def pass_over(
    task: Task,
    rows: LazyRows,
    columns: ColumnNames | None,
    what: str,
    most: int | None = None,
) -> Passed:
    """Validate rows, count their labels, and collect hashes of their texts.

    Args:
        task: the task, which has inferred its config.
        rows: the rows.
        columns: the data's names of the task's columns.
        what: the name of the data in messages.
        most: of more rows than this, parts are validated that are spread over them. None for all.

    Raises:
        DataFormatError: rows are not in the task's format. The message names the part they are in.
    """
    counts: Counter[str] = Counter()
    labeled, checked, soft = True, 0, False
    hashes: list[np.ndarray[Any, Any]] = []
    positions: list[np.ndarray[Any, Any]] = []
    chosen = _checked_parts(len(rows), most)
    total = sum(map(len, chosen))
    parts = ((each.start, rows.frame(each)) for each in chosen)
    for start, part in _shown(parts, total, f"check {what}"):
        frame = own_frame(task, part, columns, what)
        with names_of_data(task, columns):
            validate_frame(task, frame, _part(what, start, len(frame), len(rows)))
        checked += len(frame)
        hashes.append(_hashes(_texts(task, frame)))
        positions.append(np.arange(start, start + len(hashes[-1])))
        soft = soft or bool(targets_of_frame(task, frame))
        with author_code(task, "row_labels"):
            labels = task.row_labels(frame) if labeled else None
        labeled = labels is not None
        counts.update(_label_names(labels or ()))
    return Passed(
        checked,
        counts if labeled else None,
        np.concatenate(positions),
        np.concatenate(hashes),
        soft,
    )


def passed_frame(task: Task, frame: pd.DataFrame) -> Passed:
    """Return what :func:`pass_over` finds in a validated frame, without its labels."""
    hashes = _hashes(_texts(task, frame))
    return Passed(len(frame), None, np.arange(len(hashes)), hashes)


def shared_texts(one: Passed, other: Passed) -> tuple[list[int], list[int]]:
    """Return the positions of the first rows with the same text in both, for some of these texts."""
    _, first, second = np.intersect1d(one.hashes, other.hashes, return_indices=True)
    some = np.argsort(first)[:MAX_LEAKED]
    return one.positions[first[some]].tolist(), other.positions[second[some]].tolist()


def _checked_parts(rows: int, most: int | None) -> list[range]:
    """Return the positions of the parts to validate, from the first row to the last."""
    parts = [range(start, min(start + PART_ROWS, rows)) for start in range(0, rows, PART_ROWS)]
    count = len(parts) if most is None else most // PART_ROWS
    if len(parts) <= count:
        return parts
    return [parts[number] for number in np.linspace(0, len(parts) - 1, count).astype(int)]


def _part(what: str, start: int, size: int, total: int) -> str:
    """Return how a message names a part of the rows."""
    if size == total:
        return what
    return f"{what}, rows {start} to {start + size - 1} of {total} (later rows were not checked)"


def _texts(task: Task, frame: pd.DataFrame) -> list[Any]:
    """Return the text of each row, an empty list if a row has several or none."""
    (name, *more) = task.text_columns or ("",)
    texts = [] if more or name not in frame.columns else frame[name].tolist()
    return texts if all(isinstance(text, str) for text in texts) else []


def _hashes(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def _label_names(labels: Iterable[Any]) -> Iterator[str]:
    for label in labels:
        if isinstance(label, str) or not isinstance(label, Iterable):
            yield str(label)
        else:
            # A name twice in a row counts once.
            yield from {str(name) for name in label}


def _shown(
    parts: Iterable[tuple[int, pd.DataFrame]], total: int, what: str
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the parts behind a progress bar."""
    bar = progress_bar(total=total, desc=what, unit="rows", delay=1, disable=not is_main_process())
    with bar:
        for start, part in parts:
            yield start, part
            bar.update(len(part))
