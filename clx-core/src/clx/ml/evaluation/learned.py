"""Rows that a run was trained on: metrics on them say little about new rows."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clx.errors import DataWarning
from clx.ml.data.check.labeled_texts import LabeledTexts, Rule, TextIndex
from clx.ml.data.text_sketch import MOST_LEARNED, TextSketch
from clx.ml.data.texts import row_texts
from clx.ml.results.data_check import DataCheck, Finding
from clx.problems import MAX_EXAMPLES, cell
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task

_REMEDY = "It predicts such texts better than new ones: use rows that it was not trained on"
_DATA = "data"


@dataclass(frozen=True)
class LearnedRows:
    """The rows of some data that a run was trained on.

    Attributes:
        count: their number. It is an estimate for a run that was trained on many texts, and None if it
            is not known.
        findings: one finding if they are a noticeable part of the rows.
    """

    count: int | None = None
    findings: Sequence[Finding] = ()


def learned_rows(task: Task, directory: RunDir, frame: pd.DataFrame) -> LearnedRows:
    """Return which rows of a validated frame a run was trained on, as its results remember them."""
    sketch = TextSketch.of_results(directory.read_results())
    texts = None if sketch is None else row_texts(frame, task.text_columns)
    count = None if sketch is None or texts is None else sketch.count(texts)
    if sketch is None or texts is None or not count:
        return LearnedRows(count)
    if count < MOST_LEARNED * len(texts):
        return LearnedRows(count)
    index = TextIndex(_DATA, LabeledTexts(texts, rows=frame.index.tolist()))
    positions = [place for place, known in enumerate(sketch.look_up(texts)) if known]
    shown = [f"{cell(texts[place])} ({index.row(place)})" for place in positions[:MAX_EXAMPLES]]
    what = f"the run {task.run_name!r} was trained on the text"
    rule, about = Rule("learned_texts", what, _REMEDY), None if sketch.complete else count
    return LearnedRows(count, index.findings(rule, positions, shown, about=about))


def warn_of_learned(learned: Sequence[LearnedRows], rows: int) -> None:
    """Warn if runs were trained on a noticeable part of the rows that they are measured on.

    Args:
        learned: what each of the runs was trained on.
        rows: the number of rows.
    """
    findings = tuple(finding for each in learned for finding in each.findings)
    if findings:
        message = str(DataCheck(findings, {_DATA: rows}))
        warnings.warn(message, DataWarning, stacklevel=user_level())
