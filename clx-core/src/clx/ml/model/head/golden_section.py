"""Find the minimum of a unimodal function by golden-section search (Kiefer, 1953)."""

from __future__ import annotations

from collections.abc import Callable

_RATIO = (5**0.5 - 1) / 2


def golden_section(
    function: Callable[[float], float], low: float, high: float, tolerance: float
) -> float:
    """Return the argument between two numbers at which a function is lowest.

    Args:
        function: has a single minimum there.
        low: where to search from.
        high: where to search to.
        tolerance: the width of the interval around the result that is known in the end.
    """
    left, right = high - _RATIO * (high - low), low + _RATIO * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _RATIO * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _RATIO * (high - low)
            at_right = function(right)
    return (low + high) / 2
