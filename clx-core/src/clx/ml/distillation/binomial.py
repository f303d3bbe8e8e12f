"""Exact bounds for a share: Clopper and Pearson (1934), "The use of confidence or fiducial limits"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LEVEL = 0.95
"""The confidence of a one-sided bound."""

_STEPS = 60


def lower_bound(wrong: int, total: int, level: float = LEVEL) -> float:
    """Return the lower bound of the share of right answers.

    Args:
        wrong: the number of answers that were not right.
        total: the number of answers.
        level: the confidence.
    """
    if wrong >= total:
        return 0.0
    # If this share of answers were wrong, so few would be seen only with probability 1 - level.
    terms = _log_coefficients(wrong, total)
    low, high = wrong / total, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(terms, total, middle) > 1 - level:
            low = middle
        else:
            high = middle
    return 1 - high


def most_wrong(total: int, share: float, level: float = LEVEL) -> int:
    """Return how many answers may be wrong if the lower bound must reach a share; -1 if none may."""
    low, high = -1, total
    while high - low > 1:
        middle = (low + high) // 2
        if lower_bound(middle, total, level) >= share:
            low = middle
        else:
            high = middle
    return low


def fewest(share: float, level: float = LEVEL) -> int:
    """Return how many answers, all of them right, it takes for the lower bound to reach a share."""
    count = max(1, math.ceil(math.log(1 - level) / math.log(share)))
    return count if lower_bound(0, count, level) >= share else count + 1


def _log_coefficients(most: int, total: int) -> np.ndarray[Any, Any]:
    """Return the logarithms of the binomial coefficients of 0 to ``most``."""
    import numpy as np

    number = np.arange(1, most + 1)
    return np.concatenate([[0.0], np.cumsum(np.log(total - number + 1) - np.log(number))])


def _at_most(terms: np.ndarray[Any, Any], total: int, share: float) -> float:
    """Return the probability of at most ``len(terms) - 1`` of ``total``, each with this share."""
    import numpy as np

    if share <= 0:
        return 1.0
    if share >= 1:
        return float(len(terms) > total)
    count = np.arange(len(terms))
    logs = terms + count * math.log(share) + (total - count) * math.log1p(-share)
    return float(np.exp(logs).sum())
