"""Choose score thresholds on labeled data. Labels (the truth) come first in every call.

Multi-label tasks get one threshold per label; single-label tasks get a cut on the top probability,
below which a run abstains. A threshold lies midway between two neighboring scores, so that rounding
errors do not change a decision. A score that equals its threshold reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, ModelError
from clx.ml.multilabel_metrics import checked_matrices, ranked_counts
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

OBJECTIVES = ("f1", "precision", "recall")
MIN_POSITIVES = 5
NEUTRAL = 0.5
CURVE_ROWS = 200


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a multi-label model, as plain numbers for JSON.

    Attributes:
        values: one threshold per label, in the order of the labels.
        shared: the threshold of the labels that have none of their own.
        too_few: ids of the labels that use ``shared`` because they have too few positives, or no
            negatives, to choose one.
        unreached: ids of the labels that use ``shared`` because no threshold reaches the target.
    """

    values: tuple[float, ...]
    shared: float
    too_few: tuple[int, ...] = ()
    unreached: tuple[int, ...] = ()

    @property
    def fallback(self) -> tuple[int, ...]:
        """The ids of all labels that use the shared threshold, in ascending order."""
        return tuple(sorted((*self.too_few, *self.unreached)))


@dataclass(frozen=True)
class Cut:
    """The lowest top probability at which a prediction is kept.

    Attributes:
        min_score: rows whose top probability is at least this are kept.
        accuracy: the accuracy of the kept rows, on the data that the cut was chosen on.
        coverage: the fraction of rows kept, on the same data.
    """

    min_score: float
    accuracy: float
    coverage: float


def objective_problems(objective: Any, target: Any = None) -> list[str]:
    """Return the problems of an objective and its target, as sentences."""
    if objective not in OBJECTIVES:
        hint = did_you_mean(objective, OBJECTIVES) if isinstance(objective, str) else ""
        return [f"the objective must be one of {names(OBJECTIVES)}, but is {cell(objective)}{hint}"]
    if objective == "f1":
        return [] if target is None else ["only the objectives precision and recall take a target"]
    return [] if _is_target(target) else [f"the target {objective} {_target_problem(target)}"]


def _is_target(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < value <= 1


def _target_problem(value: Any) -> str:
    return f"must be a number above 0 and at most 1, such as 0.9, but is {cell(value)}"


def choose_thresholds(
    labels: Any,
    scores: Any,
    objective: str = "f1",
    target: float | None = None,
    min_positives: int = MIN_POSITIVES,
    weights: Any = None,
) -> Thresholds:
    """Return one threshold per label, chosen on these rows.

    - ``f1``: the threshold with the highest F1; among ties the one nearest to 0.5.
    - ``precision`` with a target: the lowest threshold whose precision reaches it.
    - ``recall`` with a target: the highest threshold whose recall reaches it.

    A label uses the shared threshold if it has fewer than ``min_positives`` positives, no negatives,
    or no threshold that reaches its target. The shared threshold is chosen likewise on the decisions of
    all labels (micro), else it is the one with the highest micro-F1; if no label occurs, it is 0.5.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        objective: ``f1``, ``precision`` or ``recall``.
        target: the precision or recall to reach, above 0 and at most 1.
        min_positives: how many positives a label needs for a threshold of its own.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.

    Raises:
        ConfigError: the objective is unknown, or the target is missing or not allowed with it.
        ModelError: a score is NaN or infinite.
        ValueError: the shapes do not match, there are no rows, or a label is not 0 or 1.
    """
    import numpy as np

    problems = objective_problems(objective, target)
    if problems:
        raise ConfigError("; ".join(problems))
    labels, scores = checked_matrices(labels, scores)
    scores = _finite(scores)
    each = None if weights is None else np.repeat(weights, labels.shape[1])
    together = partial(_best, labels.ravel(), scores.ravel(), each)
    shared = together(objective, target)
    shared = together("f1", None) if shared is None else shared
    shared = NEUTRAL if shared is None else shared
    positives = labels.sum(axis=0)
    few = (positives < max(1, min_positives)) | (positives == len(labels))
    chosen = [
        None if few[i] else _best(labels[:, i], scores[:, i], weights, objective, target)
        for i in range(labels.shape[1])
    ]
    return Thresholds(
        values=tuple(shared if value is None else value for value in chosen),
        shared=shared,
        too_few=tuple(int(label) for label in np.flatnonzero(few)),
        unreached=tuple(n for n, value in enumerate(chosen) if value is None and not few[n]),
    )


def _finite(scores: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    finite: np.ndarray[Any, Any] = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(finite).all():
        raise ModelError(
            "The model's scores are not all finite numbers (NaN or infinite): its training diverged."
            " Train with a lower learning rate, or without half precision"
        )
    return finite


def _best(
    labels: Any, scores: Any, weights: Any, objective: str, target: float | None
) -> float | None:
    """Return the threshold of one label; None if none reaches the target or there are no positives."""
    import numpy as np

    distinct, hits, count = ranked_counts(labels, scores, weights)
    positives = hits[-1]
    if not positives:
        return None
    limits = _between(distinct)
    if objective == "f1":
        f1 = 2 * hits / (count + positives)
        away = np.where(f1 == f1.max(), np.abs(limits - NEUTRAL), np.inf)
        return float(limits[away.argmin()])
    if objective == "precision":
        reached = np.flatnonzero((hits > 0) & (hits / count >= target))
        return float(limits[reached[-1]]) if len(reached) else None
    return float(limits[np.flatnonzero(hits / positives >= target)[0]])


def _between(distinct: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the midpoint between each score and the next lower one; the last is halfway to 0."""
    import numpy as np

    below = np.append(distinct[1:], 0.0)
    limits = below + (distinct - below) / 2
    # Two neighboring floats have no number between them; the score itself is the limit then.
    result: np.ndarray[Any, Any] = np.where(limits > below, limits, distinct)
    return result


def choose_cut(
    labels: Any, probabilities: Any, target_accuracy: float, weights: Any = None
) -> Cut | None:
    """Return the cut on the top probability that reaches an accuracy and keeps the most rows.

    All cuts are considered, because accuracy need not rise with the cut; the lowest that reaches the
    target is returned, or None if none does. A cut of 0 keeps every row.

    Args:
        labels: label ids, shape (rows,).
        probabilities: the output of the softmax, shape (rows, num_labels).
        target_accuracy: the accuracy that the kept rows must reach, above 0 and at most 1.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.

    Raises:
        ConfigError: the target is not such a number.
        ModelError: a probability is NaN.
        ValueError: there are no rows, or a row does not sum to 1 (as with logits).
    """
    import numpy as np

    if not _is_target(target_accuracy):
        raise ConfigError(f"target_accuracy {_target_problem(target_accuracy)}")
    probabilities = _finite(probabilities)
    if not len(probabilities):
        raise ValueError("there are no rows to choose a cut on")
    sums_to_one = np.abs(probabilities.sum(axis=1) - 1) < 0.01  # loose enough for half precision
    if (probabilities < 0).any() or not sums_to_one.all():
        raise ValueError("rows of probabilities must sum to 1; are they scores before the softmax?")
    distinct, right, count = _ranked_by_top(labels, probabilities, weights)
    reached = np.flatnonzero(right / count >= target_accuracy)
    if not len(reached):
        return None
    last = reached[-1]
    keeps_all = last == len(count) - 1
    return Cut(
        min_score=0.0 if keeps_all else float(_between(distinct)[last]),
        accuracy=float(right[last] / count[last]),
        coverage=float(count[last] / count[-1]),
    )


def _ranked_by_top(labels: Any, probabilities: Any, weights: Any = None) -> Any:
    """Return the counts of right and of all rows at each top probability, as ``ranked_counts``."""
    import numpy as np

    # Predictions use float32, where scores that are equal cannot be told apart.
    top = probabilities.max(axis=1).astype(np.float32).astype(np.float64)
    return ranked_counts(probabilities.argmax(axis=1) == np.asarray(labels), top, weights)


def coverage_curve(labels: Any, probabilities: Any) -> pd.DataFrame:
    """Return accuracy against coverage: what each cut on the top probability keeps and gets right.

    Args:
        labels: label ids, shape (rows,).
        probabilities: the output of the softmax, shape (rows, num_labels).

    Returns:
        Columns ``min_score`` (ascending, from 0), ``coverage``, ``accuracy`` and ``rows`` (kept).
    """
    import numpy as np
    import pandas as pd

    distinct, right, count = _ranked_by_top(labels, _finite(probabilities))
    limits = _between(distinct)
    limits[-1:] = 0.0
    at = _thinned(len(limits), CURVE_ROWS)[::-1]
    return pd.DataFrame(
        {
            "min_score": limits[at],
            "coverage": count[at] / max(1, len(np.asarray(labels))),
            "accuracy": right[at] / count[at],
            "rows": count[at],
        }
    )


def precision_recall_curve(labels: Any, scores: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return precision against recall for each threshold of each label.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        label_names: the names of the labels, in order.

    Returns:
        Columns ``label``, ``threshold``, ``precision``, ``recall``, ``f1`` and ``rows`` (that get
        the label), ordered by label and threshold, without labels that have no positives.
    """
    import numpy as np
    import pandas as pd

    labels, scores = checked_matrices(labels, scores)
    scores = _finite(scores)
    most = min(50, max(5, CURVE_ROWS * 10 // max(1, len(label_names))))
    parts = []
    for label in np.flatnonzero(labels.any(axis=0)):
        distinct, hits, count = ranked_counts(labels[:, label], scores[:, label])
        at = _thinned(len(distinct), most)[::-1]
        precision, recall = hits[at] / count[at], hits[at] / hits[-1]
        f1 = 2 * hits[at] / (count[at] + hits[-1])
        named = np.full(len(at), label_names[int(label)], dtype=object)
        parts.append((named, _between(distinct)[at], precision, recall, f1, count[at]))
    names = ("label", "threshold", "precision", "recall", "f1", "rows")
    columns = map(np.concatenate, zip(*parts, strict=True))
    return pd.DataFrame(dict(zip(names, columns, strict=False)), columns=names)


def _thinned(points: int, most: int) -> np.ndarray[Any, Any]:
    """Return the positions of at most ``most`` points, with the first and the last."""
    import numpy as np

    return np.unique(np.linspace(0, points - 1, min(points, most)).round().astype(np.int64))
