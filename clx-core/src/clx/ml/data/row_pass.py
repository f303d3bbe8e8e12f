"""One pass over rows that stay on disk: what a training has to know about all of them.

A task sees frames. First it validates, and infers its config from, *representative* rows: a random
sample, and the first row of each value in the columns of labels. Then it validates all rows, a part at a
time.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import DataFormatError
from clx.ml.data.annotations import from_annotation_tool
from clx.ml.data.lazy_rows import LazyRows
from clx.ml.data.task_frames import ColumnNames, column_names, named_frame
from clx.ml.machine.distributed import is_main_process
from clx.ml.task.author_code import author_code, validate_frame
from clx.settings import cache_dir

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task

SAMPLE_ROWS = 10_000
"""The rows that are tokenized before the training, for the probe and for the check of the data."""

PART_ROWS = 20_000

MAX_VALUES = 100_000
"""The most values of a column of labels whose rows are collected."""

MAX_SHOWN = 5_000
"""The most rows with a value of their own that the sample gets."""

MAX_LEAKED = 500
"""The most eval texts whose rows in the training data the sample gets."""

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
    """

    frame: pd.DataFrame
    sampled: np.ndarray[Any, Any]
    first: np.ndarray[Any, Any]
    complete: bool


@dataclass(frozen=True)
class Passed:
    """What a pass over all rows found.

    Attributes:
        lengths: the characters of each row's texts, shape (rows,). None if the texts are unknown.
        label_counts: the number of rows per label; None for a task without labels.
        leaked: positions of rows whose text is also in the eval data, for some of these texts.
    """

    lengths: np.ndarray[Any, Any] | None
    label_counts: Counter[str] | None
    leaked: list[int] = field(default_factory=list)


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
    cells = _FirstRows()
    labels = [name for name in read if name in rows.columns]
    if labels:
        for start, frame in _shown(rows, labels, "read labels"):
            for name in labels:
                cells.add(start, name, frame[name])
    first = np.asarray(sorted(cells.rows), dtype=np.int64)
    frame = rows.frame(np.union1d(sampled, first).tolist())
    if from_annotation_tool(frame.head(100))[0].columns.tolist() != frame.columns.tolist():
        raise DataFormatError(
            f"{what} is the export of an annotation tool, which tokenize_lazily=True does not read: "
            f"train without it, or write the texts and labels into a file of their own"
        )
    return Representative(
        named_frame(task, frame, columns, what), sampled, first, not cells.incomplete
    )


class _FirstRows:
    """Collects the position of the first row of each value. Items of lists are values too."""

    def __init__(self) -> None:
        self.rows: set[int] = set()
        self.incomplete = False
        self._seen: dict[str, set[Any]] = {}

    def add(self, start: int, name: str, column: pd.Series) -> None:
        """Take the next rows of a column.

        Args:
            start: the position of the first one.
            name: the column.
            column: the rows.
        """
        import pandas as pd

        column = column.reset_index(drop=True)
        seen = self._seen.setdefault(name, set())
        if pd.api.types.is_float_dtype(column):
            # Numbers to predict: there is no list of them.
            return
        try:
            column = column.drop_duplicates()
        except TypeError:
            # Lists of labels.
            pass
        for position, value in zip(column.index.tolist(), column.tolist(), strict=True):
            if len(seen) >= MAX_VALUES:
                self.incomplete = True
                return
            new = {key for key in _keys(value) if key not in seen}
            if new:
                seen |= new
                self.rows.add(start + position)


def _keys(cell: Any) -> list[Any]:
    """Return what tells the values of a cell from others."""
    if isinstance(cell, float):
        # A missing label must reach the validation; numbers are not listed.
        return ["missing"] if cell != cell else []
    if isinstance(cell, str | bytes) or not isinstance(cell, Iterable):
        return [(type(cell).__name__, cell)]
    if isinstance(cell, dict):
        return []
    items = list(cell)
    plain = [(type(item).__name__, item) for item in items if isinstance(item, Hashable)]
    return plain or [("items", len(items))]


def pass_over(
    task: Task,
    rows: LazyRows,
    columns: ColumnNames | None,
    what: str,
    eval_texts: Collection[str] = (),
) -> Passed:
    """Validate all rows, count their labels, and measure their texts.

    Args:
        task: the task, which has inferred its config.
        rows: the rows.
        columns: the data's names of the task's columns.
        what: the name of the data in messages.
        eval_texts: texts to look for.

    Raises:
        DataFormatError: rows are not in the task's format. The message names the part they are in.
    """
    lengths: np.ndarray[Any, Any] | None = numbers_on_disk(len(rows), np.int32)
    counts: Counter[str] = Counter()
    labeled = True
    missing = set(eval_texts)
    leaked: list[int] = []
    for start, part in _shown(rows, None, f"check {what}"):
        frame = named_frame(task, part, columns, what)
        validate_frame(task, frame, _part(what, start, len(frame), len(rows)))
        texts = _texts(task, frame)
        if lengths is not None and texts is not None:
            lengths[start : start + len(frame)] = _characters(texts)
        else:
            lengths = None
        if missing and texts is not None and len(leaked) < MAX_LEAKED:
            for position, text in enumerate(texts[0]):
                if text in missing:
                    missing.discard(text)
                    leaked.append(start + position)
        with author_code(task, "row_labels"):
            labels = task.row_labels(frame) if labeled else None
        labeled = labels is not None
        counts.update(_label_names(labels or ()))
    return Passed(lengths, counts if labeled else None, leaked[:MAX_LEAKED])


def _part(what: str, start: int, size: int, total: int) -> str:
    if size == total:
        return what
    return f"{what}, rows {start} to {start + size - 1} of {total} (later rows were not checked)"


def _texts(task: Task, frame: pd.DataFrame) -> list[list[str]] | None:
    """Return the texts of each text column, None if the task reads something else."""
    columns: list[list[str]] = []
    for name in task.text_columns:
        values: list[Any] = frame[name].tolist() if name in frame.columns else [None]
        if not all(isinstance(value, str) for value in values):
            return None
        columns.append(values)
    return columns or None


def _characters(columns: Sequence[list[str]]) -> np.ndarray[Any, Any]:
    sizes = np.zeros(len(columns[0]), np.int32)
    for texts in columns:
        sizes += np.fromiter(map(len, texts), np.int32, len(texts))
    return sizes


def _label_names(labels: Iterable[Any]) -> Iterator[str]:
    for label in labels:
        if isinstance(label, str) or not isinstance(label, Iterable):
            yield str(label)
        else:
            # A name twice in a row counts once.
            yield from {str(name) for name in label}


def _shown(
    rows: LazyRows, columns: Sequence[str] | None, what: str
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield the parts behind a progress bar."""
    from tqdm.auto import tqdm

    bar = tqdm(total=len(rows), desc=what, unit="row", delay=1, disable=not is_main_process())
    with bar:
        for start, part in rows.parts(PART_ROWS, columns):
            yield start, part
            bar.update(len(part))
