"""The threshold of each label: choosing it on labeled data, and checking what a user sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.labels import label_share_problems
from clx.ml.multilabel_metrics import ranked_counts
from clx.ml.thresholds import objective_problems

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

MIN_SPANS = 5
"""A label with fewer spans in the eval data takes the threshold of all labels together."""

CURVE_ROWS = 200


@dataclass(frozen=True)
class Ranked:
    """The results of each threshold of a label, highest threshold first.

    Attributes:
        limits: the thresholds, shape (distinct scores,).
        hits: the right spans whose score reaches it, same shape.
        found: all spans whose score reaches it, same shape.
        spans: the number of expected spans.
    """

    limits: Array
    hits: Array
    found: Array
    spans: int

    def f1(self) -> Array:
        """Return the F1 at each threshold."""
        result: Array = 2 * self.hits / (self.found + self.spans)
        return result


def ranked(scores: Sequence[float], right: Sequence[bool], spans: int) -> Ranked:
    """Return what each threshold gives.

    Args:
        scores: the score of each candidate.
        right: whether each candidate is an expected span.
        spans: the number of expected spans, found or not.
    """
    import numpy as np

    if not scores:
        nothing = np.zeros(0)
        return Ranked(nothing, nothing, nothing, spans)
    distinct, hits, found = ranked_counts(np.array(right), np.array(scores))
    # Midway between two scores, so that rounding errors do not change a decision.
    limits = (distinct + np.append(distinct[1:], 0.0)) / 2
    return Ranked(limits, hits, found, spans)


def best_limit(counts: Ranked, objective: str, target: float | None) -> float | None:
    """Return the threshold that an objective chooses, None if none reaches the target."""
    import numpy as np

    if not counts.spans or not len(counts.limits):
        return None
    if objective == "f1":
        f1 = counts.f1()
        if not f1.max():
            return None
        away = np.where(f1 == f1.max(), np.abs(counts.limits - 0.5), np.inf)
        return float(counts.limits[away.argmin()])
    wanted = 1.0 if target is None else target
    if objective == "precision":
        reached = np.flatnonzero((counts.hits > 0) & (counts.hits / counts.found >= wanted))
        return float(counts.limits[reached[-1]]) if len(reached) else None
    reached = np.flatnonzero(counts.hits / counts.spans >= wanted)
    return float(counts.limits[reached[0]]) if len(reached) else None


def curve(by_label: Mapping[str, Ranked]) -> pd.DataFrame:
    """Return what each threshold of each label gives, without labels that have no expected spans.

    The columns are ``label``, ``threshold``, ``precision``, ``recall``, ``f1`` and ``rows``, the number
    of spans that are found.
    """
    import numpy as np
    import pandas as pd

    most = min(50, max(5, CURVE_ROWS * 10 // max(1, len(by_label))))
    rows = []
    for name, counts in by_label.items():
        points = len(counts.limits) if counts.spans else 0
        at = np.unique(np.linspace(0, points - 1, min(points, most)).round().astype(int))[::-1]
        f1 = counts.f1()
        for i in at:
            rows.append(
                (
                    name,
                    float(counts.limits[i]),
                    float(counts.hits[i] / counts.found[i]),
                    float(counts.hits[i] / counts.spans),
                    float(f1[i]),
                    int(counts.found[i]),
                )
            )
    columns = ["label", "threshold", "precision", "recall", "f1", "rows"]
    return pd.DataFrame(rows, columns=columns)


def new_decisions(
    given: Mapping[str, Any], limits: Any, label_names: Sequence[str]
) -> dict[str, Any]:
    """Return the options that a user's decisions set; thresholds are None if data must choose them.

    Args:
        given: the user's decisions. Thresholds by name may leave labels out, which keep theirs.
        limits: the thresholds so far: one number, ``{label: number}``, or None.
        label_names: the labels of the run.

    Raises:
        ConfigError: thresholds are given together with what chooses them.
    """
    values: dict[str, Any] = {"thresholds": None, **given}
    thresholds = values["thresholds"]
    if thresholds is not None and len(values) > 1:
        raise ConfigError(
            "thresholds cannot be set together with threshold_objective or threshold_target, which "
            "choose them"
        )
    if isinstance(thresholds, Mapping):
        if isinstance(limits, Mapping):
            known = dict(limits)
        else:
            known = {} if limits is None else dict.fromkeys(label_names, limits)
        values["thresholds"] = known | {str(name): value for name, value in thresholds.items()}
    if values.get("threshold_objective") == "f1":
        values.setdefault("threshold_target", None)
    return values


def threshold_problems(
    thresholds: Any, objective: Any, target: Any, label_names: Sequence[str] | None
) -> list[str]:
    """Return the problems of the options for thresholds, as sentences."""
    problems = [
        f"threshold options: {problem}" for problem in objective_problems(objective, target)
    ]
    return problems + label_share_problems("thresholds", thresholds, label_names)
