"""The texts that choose and measure a margin: those that the student has not learned from, in halves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.data.frames import TEST, to_frame
from clx.ml.data.reading import Reading
from clx.ml.data.task_frames import ColumnNames, own_text_columns, validated_frame
from clx.ml.data.texts import column_to_frame, frame_inputs
from clx.ml.task.author_code import author_code
from clx_runtime.label_set import LabelSet
from clx_runtime.texts import columns_to_read

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from clx.ml.distillation.learned import Learned
    from clx.ml.task.task import Task

MOST_TEXTS = 20_000
"""The most texts that are used: beyond, the bound hardly changes."""


@dataclass(frozen=True)
class CascadeData:
    """What the caller of ``with_fast`` passed.

    Attributes:
        data: the data, with or without labels.
        text_column: the column of texts.
        columns: the names of the columns for the task.
        reading: how to read a text file.
    """

    data: Any
    text_column: str
    columns: ColumnNames
    reading: Reading


@dataclass(frozen=True)
class CascadeTexts:
    """Distinct texts.

    Attributes:
        texts: the texts.
        decisions: the right decision for each, None if the data has no labels.
        first: whether a text is in the half that chooses, shape (texts,).
        learned: how many texts were left out because the student has learned from them.
        more: how many more texts there were.
    """

    texts: list[str]
    decisions: list[Any] | None
    first: np.ndarray[Any, Any]
    learned: int
    more: int


def cascade_texts(task: Task, given: CascadeData, learned: Learned) -> CascadeTexts:
    """Return the texts to use, in halves that depend on the texts alone.

    Args:
        task: the run.
        given: the data.
        learned: knows which texts the student has learned from.

    Raises:
        DataFormatError: the data cannot be read, has no column of texts, or wrong labels.
    """
    import numpy as np

    texts, decisions = _read(task, given)
    distinct: dict[str, int] = {}
    for row, text in enumerate(texts):
        distinct.setdefault(text, row)
    known = learned.holds(list(distinct))
    rows = [row for row, is_known in zip(distinct.values(), known, strict=True) if not is_known]
    # In the order of their hashes, the first ones are a random sample.
    rows.sort(key=lambda row: _number(texts[row]))
    kept = rows[:MOST_TEXTS]
    first = np.array([_number(texts[row]) % 2 == 0 for row in kept], dtype=bool)
    return CascadeTexts(
        [texts[row] for row in kept],
        None if decisions is None else [decisions[row] for row in kept],
        first,
        int(sum(known)),
        len(rows) - len(kept),
    )


def _number(text: str) -> int:
    """Return 64 bits that depend on a text alone, and not on those that set texts aside."""
    data = text.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(data, digest_size=8, person=b"clx cascade").digest()
    return int.from_bytes(digest, "big")


def _read(task: Task, given: CascadeData) -> tuple[list[str], list[Any] | None]:
    """Return the texts of the data, and the right decisions if it has labels."""
    columns = columns_to_read(own_text_columns(task), given.text_column)
    frame = column_to_frame(given.data, columns)
    if frame is not None:
        return frame_inputs(frame, columns), None
    frame = to_frame(given.data, "data", given.reading, TEST, labeled=False)
    named = {given.columns.label} if given.columns.label else set(task.label_column_names)
    present = [name for name in frame.columns if name in named]
    if not present or frame[present].isna().all(axis=None):
        return frame_inputs(frame, columns), None
    valid = validated_frame(task, frame, "data", given.reading, given.columns)
    return frame_inputs(valid, task.text_columns), _decisions(task, valid)


def _decisions(task: Task, frame: pd.DataFrame) -> list[Any] | None:
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    if labels is None:
        return None
    if isinstance(task.decision_rule(), LabelSet):
        return [frozenset(map(str, names)) for names in labels]
    return [str(label) for label in labels]


def right(decisions: Sequence[Any], expected: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Return which decisions are right, shape (texts,).

    Args:
        decisions: names, or lists of names.
        expected: what :class:`CascadeTexts` has.
    """
    import numpy as np

    return np.array(
        [
            (frozenset(made) if isinstance(made, list) else made) == wanted
            for made, wanted in zip(decisions, expected, strict=True)
        ],
        dtype=bool,
    )
