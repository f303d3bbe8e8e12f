"""A sketch of the texts that a run was trained on, to tell them from new texts."""

from __future__ import annotations

from clx.ml.data.task_frames import own_text_columns
from clx.ml.data.text_sketch import LEARNED_TEXTS, TextSketch
from clx.ml.training.job import Job
from clx_runtime.texts import TextRow


def learned_texts(job: Job) -> TextSketch:
    """Return the sketch of the texts of a training, and of the trained run that it continues."""
    sketch = _of_frame(job)
    if job.earlier is None:
        return sketch
    earlier = TextSketch.from_json(job.earlier.directory.read_results().get(LEARNED_TEXTS))
    return sketch.joined(earlier or TextSketch(complete=False))


def _of_frame(job: Job) -> TextSketch:
    frame, columns = job.train.frame, own_text_columns(job.task)
    # Of a lazy training, the frame is a sample.
    if job.train.lazy is not None or not set(columns) <= set(frame.columns):
        return TextSketch(complete=False)
    rows = zip(*(frame[column] for column in columns), strict=True)
    texts = (row[0] if len(row) == 1 else TextRow(row) for row in rows if _are_texts(row))
    return TextSketch.of(texts)


def _are_texts(row: tuple[object, ...]) -> bool:
    return all(isinstance(text, str) for text in row)
