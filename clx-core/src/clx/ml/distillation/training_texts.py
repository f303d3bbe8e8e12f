"""Whether the texts of a student are those that its teacher was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clx.errors import ClxError, DataWarning
from clx.ml.data.dataset import fingerprint
from clx.ml.data.frames import TRAIN, to_frame
from clx.ml.data.objects import has_splits
from clx.ml.data.reading import Reading
from clx.ml.data.task_frames import named_frame
from clx_runtime.callers import user_level
from clx_runtime.objects import is_column

if TYPE_CHECKING:
    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task


def warn_if_training_texts(
    task: Task, directory: RunDir, data: Any, reading: Reading, read: int
) -> None:
    """Warn if the data is what the teacher was trained on, as its results remember it.

    Args:
        task: the teacher.
        directory: its directory.
        data: the data that the caller passed.
        reading: how to read a text file.
        read: the number of texts in it.
    """
    results = directory.read_results()
    known, rows = results.get("data"), results.get("rows")
    if not isinstance(known, dict) or not isinstance(rows, dict) or rows.get("train") != read:
        return
    if is_column(data) or isinstance(data, Iterator):
        # The results remember texts and labels together.
        return
    try:
        split = TRAIN if has_splits(data) else None
        frame = named_frame(task, to_frame(data, "texts", reading, split))
    except ClxError:
        return
    if known.get("train") == fingerprint(frame):
        warnings.warn(
            f"The texts are those that {task.run_name!r} was trained on. It is surer of them than of "
            f"new ones, so the agreement measured on them is optimistic: pass other texts of the "
            f"same domain, which need no labels.",
            DataWarning,
            stacklevel=user_level(),
        )
