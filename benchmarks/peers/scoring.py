"""Accuracy, or micro-F1 where rows have several labels: plain counting, the same for every contender."""

from __future__ import annotations

from collections.abc import Sequence


def accuracy(given: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the share of rows whose label is the predicted one."""
    return sum(a == b for a, b in zip(given, predicted, strict=True)) / len(given)


def micro_f1(given: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Return 2·TP / (2·TP + FP + FN) over all rows and labels; 0 where nothing is right."""
    right = total = 0
    for truth, chosen in zip(given, predicted, strict=True):
        right += len(set(truth) & set(chosen))
        total += len(set(truth)) + len(set(chosen))
    return 2 * right / total if total else 0.0
