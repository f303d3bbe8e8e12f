"""Choosing what a score has to reach, on labelled data. Labels (the truth) go first in every call.

Multi-label: a threshold a label. Single-label: a cut on the top probability, below which a run
abstains. Thresholds lie midway between two neighbouring scores, so that small differences of
arithmetic decide nothing; a score that equals a threshold has reached it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, ModelError
from clx.ml.multilabel_metrics import checked_matrices, ranked_counts
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    import numpy as np

OBJECTIVES = ("f1", "precision", "recall")
MIN_POSITIVES = 5
NEUTRAL = 0.5


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of a multi-label model, as plain numbers for JSON.

    Attributes:
        values: one a label, in the order of the labels.
        shared: the threshold of the labels that have none of their own.
        too_few: ids of labels that took ``shared`` since they have too few positives, or no
            negatives, to choose one.
        unreached: ids of labels that took ``shared`` since no threshold reaches the target.
    """

    values: tuple[float, ...]
    shared: float
    too_few: tuple[int, ...] = ()
    unreached: tuple[int, ...] = ()

    @property
    def fallback(self) -> tuple[int, ...]:
        """Ids of all labels that took the shared threshold, ascending."""
        return tuple(sorted((*self.too_few, *self.unreached)))


@dataclass(frozen=True)
class Cut:
    """From which top probability on a prediction is kept.

    Attributes:
        min_score: rows whose top probability is at least this are kept.
        accuracy: of the kept rows, on the data that the cut was chosen on.
        coverage: the share of rows that is kept there.
    """

    min_score: float
    accuracy: float
    coverage: float


def objective_problems(objective: Any, target: Any = None) -> list[str]:
    """Return what is wrong with an objective and its target, as sentences."""
    if objective not in OBJECTIVES:
        hint = did_you_mean(objective, OBJECTIVES) if isinstance(objective, str) else ""
        return [f"the objective must be one of {names(OBJECTIVES)}, but is {cell(objective)}{hint}"]
    if objective == "f1":
        return [] if target is None else ["a target goes with the objective precision or recall"]
    return [] if _is_share(target) else [f"the target {objective} {_share_wanted(target)}"]


def _is_share(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 < value <= 1


def _share_wanted(value: Any) -> str:
    return f"must be a number above 0 and at most 1, such as 0.9, but is {cell(value)}"


def choose_thresholds(
    labels: Any,
    scores: Any,
    objective: str = "f1",
    target: float | None = None,
    min_positives: int = MIN_POSITIVES,
) -> Thresholds:
    """Return a threshold a label, chosen on these rows.

    - ``f1``: the threshold with the highest F1 of all there are; of several the one nearest to 0.5.
    - ``precision`` with a target: the lowest threshold whose precision reaches it.
    - ``recall`` with a target: the highest threshold whose recall reaches it.

    A label with fewer than ``min_positives`` positives, without negatives, or whose target no
    threshold reaches, takes the shared threshold: the one that does the same for the decisions of
    all labels together (micro). Where that reaches no target either it has the highest micro-F1, and
    where no label occurs at all it is 0.5.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        objective: ``f1``, ``precision`` or ``recall``.
        target: what precision or recall has to reach, above 0 and at most 1.
        min_positives: how many positives a threshold of its own needs.

    Raises:
        ConfigError: an unknown objective, or a target that is missing or does not belong to it.
        ModelError: scores that are NaN or infinite.
        ValueError: shapes that do not fit, no rows, or labels other than 0 and 1.
    """
    import numpy as np

    problems = objective_problems(objective, target)
    if problems:
        raise ConfigError("; ".join(problems))
    labels, scores = checked_matrices(labels, scores)
    scores = _finite(scores)
    shared = _best(labels.ravel(), scores.ravel(), objective, target)
    if shared is None:
        shared = _best(labels.ravel(), scores.ravel(), "f1", None)
    shared = NEUTRAL if shared is None else shared
    positives = labels.sum(axis=0)
    few = (positives < max(1, min_positives)) | (positives == len(labels))
    chosen = [
        None if few[label] else _best(labels[:, label], scores[:, label], objective, target)
        for label in range(labels.shape[1])
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


def _best(labels: Any, scores: Any, objective: str, target: float | None) -> float | None:
    """Return the threshold of one label, None when none reaches the target or nothing occurs."""
    import numpy as np

    distinct, hits, count = ranked_counts(labels, scores)
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
    """Return a limit below each score and above the next one; below the last midway to 0."""
    import numpy as np

    below = np.append(distinct[1:], 0.0)
    limits = below + (distinct - below) / 2
    # Two neighbours may have no number between them: then the score itself is the limit.
    result: np.ndarray[Any, Any] = np.where(limits > below, limits, distinct)
    return result


def choose_cut(labels: Any, probabilities: Any, target_accuracy: float) -> Cut | None:
    """Return the cut on the top probability that keeps most rows while reaching an accuracy.

    All cuts are considered. The accuracy need not rise with the cut; of those that reach the target
    the lowest is taken. 0 keeps every row. None when no cut reaches the target.

    Args:
        labels: label ids, shape (rows,).
        probabilities: what the softmax gives, shape (rows, num_labels).
        target_accuracy: what the accuracy of the kept rows has to reach, above 0 and at most 1.

    Raises:
        ConfigError: a target that is not such a number.
        ModelError: probabilities that are NaN.
        ValueError: there are no rows, or they do not sum to 1, as scores before the softmax.
    """
    import numpy as np

    if not _is_share(target_accuracy):
        raise ConfigError(f"target_accuracy {_share_wanted(target_accuracy)}")
    probabilities = _finite(probabilities)
    if not len(probabilities):
        raise ValueError("there are no rows to choose a cut on")
    sums_to_one = np.abs(probabilities.sum(axis=1) - 1) < 0.01  # also in half precision
    if (probabilities < 0).any() or not sums_to_one.all():
        raise ValueError("rows of probabilities must sum to 1; are they scores before the softmax?")
    # Predictions are made in float32: scores that are the same there cannot be told apart.
    top = probabilities.max(axis=1).astype(np.float32).astype(np.float64)
    right_rows = probabilities.argmax(axis=1) == np.asarray(labels)
    distinct, right, count = ranked_counts(right_rows, top)
    reached = np.flatnonzero(right / count >= target_accuracy)
    if not len(reached):
        return None
    last = reached[-1]
    keeps_all = count[last] == len(top)
    return Cut(
        min_score=0.0 if keeps_all else float(_between(distinct)[last]),
        accuracy=float(right[last] / count[last]),
        coverage=float(count[last] / len(top)),
    )
