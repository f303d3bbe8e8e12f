"""Estimate how likely a student disagrees with its teacher, by margin and label.

One logistic curve over the margin holds for all labels. A label with enough texts has a curve of its
own, which is drawn towards the common one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

OWN_CURVE = 50
"""The number of texts that a label needs for a curve of its own."""

_EPSILON = 1e-6
_LEAST_SLOPE = 0.05
_COMMON_PRIOR, _LABEL_PRIOR = 1.0, 5.0
_ITERATIONS = 30


@dataclass(frozen=True)
class Risk:
    """A curve per label: the log odds of another decision are ``level - slope * log odds of margin``.

    Attributes:
        level: shape (labels,).
        slope: shape (labels,), positive: a larger margin never has a higher risk.
        own: whether a label has a curve of its own, shape (labels,).
        common: level and slope of the common curve.
    """

    level: np.ndarray[Any, Any]
    slope: np.ndarray[Any, Any]
    own: np.ndarray[Any, Any]
    common: Any

    def of(self, margin: np.ndarray[Any, Any], label: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the log odds that the teacher's decision differs, shape (texts,)."""
        return _floats(self.level[label] - self.slope[label] * _log_odds(margin))

    def margins(self, limit: float) -> np.ndarray[Any, Any]:
        """Return the margin of each label from which the risk is at most this, shape (labels,).

        It is at least 0, and infinite for a label that no margin makes safe enough.

        Args:
            limit: log odds.
        """
        return _floats(_margin(self.level, self.slope, limit))

    def common_margin(self, limit: float) -> float | None:
        """Return the margin of the common curve, None if it is infinite."""
        margin = float(_margin(self.common[0], self.common[1], limit))
        return margin if margin <= 1 else None


def fit_risk(
    margin: np.ndarray[Any, Any],
    label: np.ndarray[Any, Any],
    wrong: np.ndarray[Any, Any],
    labels: int,
) -> Risk:
    """Return the curves that fit some texts.

    Args:
        margin: the margin of each text, shape (texts,).
        label: its label, shape (texts,).
        wrong: whether the teacher's decision differs, shape (texts,).
        labels: the number of labels.
    """
    import numpy as np

    odds, hit = _log_odds(margin), np.asarray(wrong, dtype=np.float64)
    share = (hit.sum() + 0.5) / (len(hit) + 1)
    start = np.array([np.log(share / (1 - share)), 1.0])
    common = _fitted(odds, hit, start, _COMMON_PRIOR)
    level, slope = np.full(labels, common[0]), np.full(labels, common[1])
    own = np.bincount(label, minlength=labels) >= OWN_CURVE
    for place in np.flatnonzero(own).tolist():
        these = label == place
        level[place], slope[place] = _fitted(odds[these], hit[these], common, _LABEL_PRIOR)
    return Risk(level, slope, own, common)


def _fitted(
    odds: np.ndarray[Any, Any],
    hit: np.ndarray[Any, Any],
    start: np.ndarray[Any, Any],
    prior: float,
) -> np.ndarray[Any, Any]:
    """Return level and slope by Newton's method, with a penalty for their distance from the start."""
    import numpy as np

    inputs = np.stack([np.ones_like(odds), -odds], axis=1)
    found = start.copy()
    for _ in range(_ITERATIONS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ found, -40, 40)))
        gradient = inputs.T @ (chance - hit) + prior * (found - start)
        weight = np.maximum(chance * (1 - chance), 1e-9)
        curvature = (inputs * weight[:, None]).T @ inputs + prior * np.eye(2)
        step = np.clip(np.linalg.solve(curvature, gradient), -2, 2)
        found = found - step
        if np.abs(step).max() < 1e-8:
            break
    return _floats([found[0], max(found[1], _LEAST_SLOPE)])


def _margin(level: Any, slope: Any, limit: float) -> Any:
    import numpy as np

    needed = (level - limit) / slope
    # A rounding error in the inverse must not let a riskier text in.
    needed = needed + 1e-9 * np.maximum(1.0, np.abs(needed))
    share = np.exp(-np.logaddexp(0.0, -needed))
    margin = share * (1 + 2 * _EPSILON) - _EPSILON
    return np.where(margin > 1, np.inf, np.maximum(margin, 0.0))


def _log_odds(margin: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    inside = np.clip(margin, 0.0, 1.0)
    return _floats(np.log(inside + _EPSILON) - np.log(1 - inside + _EPSILON))


def _floats(values: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(values, dtype=np.float64)
