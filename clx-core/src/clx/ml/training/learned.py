"""A sketch of the texts that a run was trained on, to tell them from new texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.data.text_sketch import TextSketch
from clx_runtime.texts import TextRow

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task
    from clx.ml.training.job import Job


def learned_texts(job: Job) -> TextSketch:
    """Return the sketch of the texts of a training, and of the trained run that it continues."""
    # Of a lazy training, the frame is a sample.
    lazy = job.train.lazy is not None
    sketch = TextSketch(complete=False) if lazy else texts_of_frame(job.task, job.train.frame)
    if job.earlier is None:
        return sketch
    return sketch.joined(learned_by(job.earlier.directory))


def learned_by(directory: RunDir) -> TextSketch:
    """Return the sketch in the results of a run, one that knows nothing if there is none."""
    return TextSketch.of_results(directory.read_results()) or TextSketch(complete=False)


def texts_of_frame(task: Task, frame: pd.DataFrame) -> TextSketch:
    """Return the sketch of the texts of a validated frame, one that knows nothing without them."""
    columns = task.text_columns
    if not set(columns) <= set(frame.columns):
        return TextSketch(complete=False)
    rows = zip(*(frame[column] for column in columns), strict=True)
    texts = (row[0] if len(row) == 1 else TextRow(row) for row in rows if _are_texts(row))
    return TextSketch.of(texts)


def _are_texts(row: tuple[object, ...]) -> bool:
    return all(isinstance(text, str) for text in row)
