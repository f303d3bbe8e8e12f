"""The rows of a continued training: the new ones, and old ones that are mixed in."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError, DataFormatError, DataWarning
from clx.ml.data.frames import to_frame, training_sources
from clx.ml.data.reading import Reading
from clx.ml.data.row_targets import require_weights
from clx.ml.data.task_frames import own_frame, validated_frame
from clx.ml.task.author_code import author_code
from clx.problems import IN_WARNINGS, cell, examples
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.data.lazy_rows import LazyRows
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Replay:
    """Old rows to mix in.

    Attributes:
        data: the rows, as for ``train``; None for no rows.
        rows: how many of them: a number, or a share of them such as 0.3; None for all rows.
    """

    data: Any = None
    rows: float | None = None

    def check(self) -> None:
        """Check the number of rows.

        Raises:
            ConfigError: it is neither a number of rows nor a share, or there is no replay data.
        """
        rows = self.rows
        if rows is None:
            return
        is_number = isinstance(rows, int | float) and not isinstance(rows, bool)
        if not is_number or not 0 < rows < math.inf or (rows > 1 and rows != int(rows)):
            raise ConfigError(
                f"replay_rows must be a number of rows such as 500, or a share such as 0.3, but is "
                f"{cell(rows)}"
            )
        if self.data is None:
            raise ConfigError("replay_rows needs replay=, the data that the rows are taken from")

    def wanted(self, count: int) -> int:
        """Return how many of ``count`` rows to take."""
        if self.rows is None:
            return count
        if isinstance(self.rows, float) and self.rows <= 1:
            return max(1, round(self.rows * count))
        return min(count, int(self.rows))


@dataclass(frozen=True)
class JoinedRows:
    """The training rows of a continued training.

    Attributes:
        frame: the rows with the user's column names; replayed rows are at the end. Of rows on disk,
            some that stand for all: their labels are all labels.
        replay_from: the index label of the first replayed row, None without replayed rows.
        replayed: the number of replayed rows.
        data: all rows, if they stay on disk.
    """

    frame: pd.DataFrame
    replay_from: int | None = None
    replayed: int = 0
    data: LazyRows | None = None

    @property
    def rows(self) -> pd.DataFrame | LazyRows:
        """All rows."""
        return self.frame if self.data is None else self.data


@dataclass(frozen=True)
class Readers:
    """Two tasks that read the same rows.

    Attributes:
        known: a task with all options of the earlier run, its labels among them.
        blank: the same task as it was made, without labels, which it takes from the rows.
        reading: how to read text files.
    """

    known: Task
    blank: Task
    reading: Reading

    def validated(self, frame: pd.DataFrame, what: str) -> tuple[Task, pd.DataFrame]:
        """Return the frame in the task's format, and the task that accepts it.

        Raises:
            DataFormatError: the rows are not in the task's format.
        """
        try:
            return self.known, validated_frame(self.known, frame, what, self.reading)
        except DataFormatError:
            if not getattr(self.known, "label_names", None):
                raise
            # The rows may have new labels; the next line raises if something else is wrong.
            return self.blank, validated_frame(self.blank, frame, what, self.reading)


def joined_rows(readers: Readers, more: Any, replay: Replay, seed: int) -> JoinedRows:
    """Return the new rows, followed by the replayed ones.

    Args:
        readers: read the rows.
        more: the new rows, which were opened already.
        replay: the old rows.
        seed: the seed of the sample of old rows.

    Raises:
        DataFormatError: the old rows are not in the task's format.
    """
    import pandas as pd

    new = to_frame(more, "train_data", readers.reading)
    if replay.data is None:
        return JoinedRows(new)
    source, _ = training_sources(replay.data, None, readers.reading)
    old = to_frame(source, "replay", readers.reading)
    require_weights(readers.known, old, "replay")
    task, validated = readers.validated(old, "replay")
    chosen = sample_rows(row_labels(task, validated), len(old), replay.wanted(len(old)), seed)
    frame = pd.concat([new, old.iloc[chosen]], ignore_index=True)
    return JoinedRows(frame, len(new), len(chosen))


def row_labels(task: Task, frame: pd.DataFrame) -> list[Any] | None:
    """Return the label of each row, None for a task without labels."""
    with author_code(task, "row_labels"):
        return task.row_labels(frame)


def sample_rows(
    labels: Sequence[Any] | None, count: int, wanted: int, seed: int
) -> np.ndarray[Any, Any]:
    """Return the positions of a random sample, ascending, in which each label keeps its share."""
    if wanted >= count:
        return np.arange(count)
    order = np.random.default_rng(seed).permutation(count)
    if labels is None:
        return np.sort(order[:wanted])
    keys = [repr(label) for label in labels]
    sizes, taken = Counter(keys), Counter[str]()
    # The n-th of the k rows of a label comes at (n + 1/2) / k, so that any beginning is stratified.
    place = np.empty(count)
    for row in order:
        place[row] = (taken[keys[row]] + 0.5) / sizes[keys[row]]
        taken[keys[row]] += 1
    return np.sort(order[np.argsort(place[order], kind="stable")][:wanted])


def all_labels(readers: Readers, frame: pd.DataFrame) -> list[str]:
    """Return the labels of the earlier run, and after them those that only the rows have.

    The blank task has inferred its config from the rows afterwards, if it can. Warns if rows of
    earlier labels are missing, because the training may unlearn these labels.

    Raises:
        DataFormatError: the rows are not in the task's format.
    """
    own = [str(name) for name in getattr(readers.known, "label_names", None) or ()]
    named = own_frame(readers.blank, frame, what="train_data")
    found = _inferred(readers.blank, named)
    new: list[str] = []
    try:
        validated_frame(readers.known, frame, "train_data", readers.reading)
    except DataFormatError:
        new = [name for name in found if name not in own]
        # Without new labels, something else is wrong with the rows.
        if not own or not new:
            raise
    _warn_of_missing(readers.blank, named, own)
    return [*own, *new]


def _inferred(task: Task, frame: pd.DataFrame) -> list[str]:
    """Let a task take its config from rows that may be invalid, and return its label names.

    The rows are not validated, because rows of a single new label are no data for a run of its own.
    """
    with contextlib.suppress(Exception):
        task.infer_config(frame)
    return [str(name) for name in getattr(task, "label_names", None) or ()]


def _warn_of_missing(task: Task, frame: pd.DataFrame, own: Sequence[str]) -> None:
    labels = None
    with contextlib.suppress(Exception):
        labels = task.row_labels(frame)
    if labels is None:
        return
    seen = {str(name) for label in labels for name in _as_list(label)}
    missing = [name for name in own if name not in seen]
    if missing:
        warnings.warn(
            f"The training rows have no row of {len(missing)} of the {len(own)} labels of the run "
            f"({examples(missing, IN_WARNINGS)}): the training may unlearn them. Pass replay= with old "
            f"rows.",
            DataWarning,
            stacklevel=user_level(),
        )


def _as_list(label: Any) -> Sequence[Any]:
    return label if isinstance(label, list | tuple) else [label]
