"""The earlier run and the new one on the same eval rows."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.ml.data.splits import tokenised_split
from clx.ml.evaluation.compare import compare_predictions
from clx.ml.evaluation.evaluate import Predicted, predict_split
from clx.ml.evaluation.learned import learned_rows, warn_of_learned
from clx.ml.evaluation.row_targets import with_scores
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.evaluation.compare import Contender
    from clx.ml.results.comparison import Comparison
    from clx.ml.task.task import Task

NEVER = -1e4
"""The score of a label that a model does not have: its probability is 0."""


@dataclass(frozen=True)
class Opponents:
    """The two runs to compare.

    Attributes:
        old: the earlier run.
        new: the new run, whose labels begin with the earlier run's.
        decisions: the options of the earlier run that turn scores into decisions.
    """

    old: Contender
    new: Contender
    decisions: Mapping[str, Any]


def compare_continued(opponents: Opponents, frame: pd.DataFrame) -> Comparison | None:
    """Compare the runs on the eval rows whose labels the earlier run has.

    Both are measured with all labels of the new run, so that an old row that now gets a new label
    counts as an error of the new run. The earlier run never predicts a new label. A warning says if it
    was trained on a noticeable part of the rows.

    Returns:
        None if there is no such row, or the predictions of the earlier run cannot be compared.
    """
    old, new = opponents.old, opponents.new
    names = [getattr(task, "label_names", None) for task in (old.task, new.task)]
    added = len(names[1] or ()) - len(names[0] or ())
    if added:
        frame = _known_rows(new.task, frame, names[0] or ())
        if frame.empty:
            return None
    predicted, before = _predict(new, frame), _predict(old, frame)
    if added:
        padded = _padded(before, predicted, len(names[0] or ()), added)
        if padded is None:
            return None
        before = padded
    view = copy.copy(new.task)
    view.run_name = old.task.run_name
    for name, value in opponents.decisions.items():
        setattr(view, name, copy.deepcopy(value))
    learned = learned_rows(old.task, RunDir(old.run_dir), frame)
    warn_of_learned([learned], len(frame))
    result = compare_predictions(replace(old, task=view), before, new, predicted, frame)
    return replace(result, learned_rows=(learned.count, None))


def _predict(run: Contender, frame: pd.DataFrame) -> Predicted:
    split = tokenised_split(run.task, run.tokenizer, "evaluation", frame)
    return predict_split(run.task, run.tokenizer, run.model, split)


def _known_rows(task: Task, frame: pd.DataFrame, known: Any) -> pd.DataFrame:
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    if labels is None:
        return frame.iloc[:0]
    names = {str(name) for name in known}
    keep = [
        all(str(name) in names for name in (label if isinstance(label, list | tuple) else [label]))
        for label in labels
    ]
    return frame[np.asarray(keep, dtype=bool)]


def _padded(before: Predicted, now: Predicted, known: int, added: int) -> Predicted | None:
    """Return the earlier run's predictions with scores for the new labels, which it never predicts."""
    scores = before.prediction.predictions
    if not isinstance(scores, np.ndarray) or scores.shape[-1] != known:
        return None
    never = np.full((*scores.shape[:-1], added), NEVER, dtype=scores.dtype)
    padded = np.concatenate([scores, never], axis=-1)
    if np.shape(padded) != np.shape(now.prediction.predictions):
        return None
    return replace(before, prediction=with_scores(now.prediction, padded))
