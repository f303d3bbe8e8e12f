"""Comparing predictions and metrics that may differ by rounding."""

from __future__ import annotations

import numbers
from typing import Any


def same(one: Any, other: Any, tolerance: float = 1e-4) -> bool:
    """Return whether two values are equal, down to the numbers in nested lists and dicts.

    Args:
        one: the expected value.
        other: the value to compare with it.
        tolerance: how far numbers may differ, relative to the larger of ``one`` and 1.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[k], other[k], tolerance) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in pairs)
    if isinstance(one, numbers.Real) and isinstance(other, numbers.Real):
        # Includes numpy's numbers: another check reports that JSON cannot hold them.
        return abs(float(one) - float(other)) <= tolerance * max(1.0, abs(float(one)))
    return bool(one == other)
