"""Order measured base models, and weigh their scores against their cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ERRORS_IN_INTERVAL = 3.92
"""The length of a 95 % interval, in standard errors."""

SAME_TIME = 1.25
"""Measured times that differ by less than this factor count as equal."""


@dataclass(frozen=True)
class Measured:
    """A base model with its measurements.

    Attributes:
        base: its name, as the user gave it.
        score: its metric.
        low: the lower end of the metric's 95 % interval, NaN without an interval.
        high: the upper end.
        seconds_per_1000: the seconds that it takes to read 1,000 of the texts.
        parameters: the number of its parameters.
    """

    base: str
    score: float
    low: float
    high: float
    seconds_per_1000: float
    parameters: int


def best_first(measured: Sequence[Measured], higher: bool) -> list[Measured]:
    """Return the bases by score, equal ones by cost; a score that is not a number comes last."""
    sign = -1 if higher else 1
    return sorted(
        measured,
        key=lambda each: (
            math.isnan(each.score),
            0.0 if math.isnan(each.score) else sign * each.score,
            each.seconds_per_1000,
        ),
    )


def recommended(ordered: Sequence[Measured], higher: bool) -> str:
    """Return the name of the base to take, by the one-standard-error rule.

    The candidates are the bases whose score is at most one standard error of the best one's score
    behind it (Breiman et al. 1984, "Classification and Regression Trees"). Of them, the best of the
    fastest is taken; times within ``SAME_TIME`` of the shortest count as equally fast.

    Args:
        ordered: the measured bases, best first.
        higher: whether a higher score is better.
    """
    best = ordered[0]
    error = (best.high - best.low) / ERRORS_IN_INTERVAL
    allowed = 0.0 if math.isnan(error) else error
    near = [each for each in ordered if abs(each.score - best.score) <= allowed] or [best]
    shortest = min(each.seconds_per_1000 for each in near)
    return next(each.base for each in near if each.seconds_per_1000 <= SAME_TIME * shortest)
