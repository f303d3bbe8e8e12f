"""Compare two runs on the same rows. A difference is the second minus the first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from clx.ml.intervals import (
    RESAMPLES,
    Statistic,
    bootstrap,
    classification_statistic,
    multilabel_statistic,
    percentile_interval,
    span_statistic,
    weighted,
    wilson_interval,
)

if TYPE_CHECKING:
    import numpy as np

EXACT_BELOW = 25
"""With fewer discordant rows, use the exact version of McNemar's test."""


NOT_SHARES = ("log_loss", "mean")
"""The values that are not from 0 to 1."""


class Difference(NamedTuple):
    """The second value minus the first with its 95 % interval, in the metric's unit."""

    difference: float
    low: float
    high: float


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """Return the p-value of McNemar's test: the probability of a split at least as uneven by chance.

    Only discordant rows count: those that exactly one of the two got right. With fewer than 25 of
    them this is the exact two-sided binomial test, otherwise the chi-squared test with Edwards'
    continuity correction, ``max(0, |b - c| - 1)² / (b + c)``. Sources: McNemar (1947) and Edwards
    (1948), Psychometrika.

    Args:
        only_first_right: the number of rows that only the first got right.
        only_second_right: the number of rows that only the second got right.

    Raises:
        ValueError: a count is negative.
    """
    first, second = int(only_first_right), int(only_second_right)
    if min(first, second) < 0:
        raise ValueError(f"row counts cannot be negative, but are {first} and {second}")
    rows = first + second
    if rows < EXACT_BELOW:
        tail = sum(math.comb(rows, k) for k in range(min(first, second) + 1)) / 2.0**rows
        return min(1.0, 2 * tail)
    statistic = max(0, abs(first - second) - 1) ** 2 / rows
    # The survival function of chi-squared with one degree of freedom.
    return math.erfc(math.sqrt(statistic / 2))


def paired_difference(
    first: Any, second: Any, seed: int = 0, resamples: int = RESAMPLES
) -> Difference:
    """Return the mean of ``second - first`` with a 95 % percentile bootstrap interval.

    Args:
        first: one value per row, such as its loss or whether it is right, shape (rows,).
        second: values of the same rows in the same order, shape (rows,).
        seed: the seed of the resampling.
        resamples: the number of resamples.

    Raises:
        ValueError: the shapes differ, or there are no rows.
    """
    import numpy as np

    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"both need one value per row, but have the shapes {first.shape} and {second.shape}"
        )
    differences = second - first

    def mean(weights: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        return {"mean": weights.astype(np.float64) @ differences / len(differences)}

    return _differences(mean, len(first), seed, resamples)["mean"]


def classification_difference(
    labels: Any,
    first_logits: Any,
    second_logits: Any,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weights: Any = None,
) -> dict[str, Difference]:
    """Return the differences in accuracy, f1_macro, f1_weighted and log_loss, second minus first.

    Both runs use the same resamples. A lower log_loss is better.

    Args:
        labels: label ids, shape (rows,).
        first_logits: the first run's scores before the softmax, shape (rows, num_labels).
        second_logits: those of the second run, for the same rows and labels.
        seed: the seed of the resampling.
        resamples: the number of resamples.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.

    Raises:
        ValueError: the shapes differ, or there are no rows.
    """
    import numpy as np

    _same_shape(first_logits, second_logits)
    statistic = _minus(
        classification_statistic(labels, second_logits),
        classification_statistic(labels, first_logits),
    )
    same = bool(np.array_equal(first_logits, second_logits))
    return _differences(weighted(statistic, weights), len(labels), seed, resamples, same)


def multilabel_difference(
    labels: Any,
    first_scores: Any,
    first_thresholds: Any,
    second_scores: Any,
    second_thresholds: Any,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weights: Any = None,
) -> dict[str, Difference]:
    """Return the differences in f1_micro, f1_macro, f1_samples and subset_accuracy, second minus first.

    Both runs use the same resamples.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        first_scores: the first run's sigmoid scores, shape (rows, num_labels).
        first_thresholds: its thresholds, one number or one per label.
        second_scores: those of the second run, for the same rows and labels.
        second_thresholds: its thresholds.
        seed: the seed of the resampling.
        resamples: the number of resamples.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.

    Raises:
        ValueError: the shapes do not match, there are no rows, or a label is not 0 or 1.
    """
    import numpy as np

    statistic = _minus(
        multilabel_statistic(labels, second_scores, second_thresholds),
        multilabel_statistic(labels, first_scores, first_thresholds),
    )
    same = bool(np.array_equal(first_scores, second_scores))
    return _differences(weighted(statistic, weights), len(labels), seed, resamples, same)


def span_difference(
    first: tuple[Any, Any, Any],
    second: tuple[Any, Any, Any],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, Difference]:
    """Return the differences in precision, recall, f1 and f1_macro of spans, second minus first.

    Both runs use the same resamples of the texts.

    Args:
        first: the first run's ``hits``, ``predicted`` and ``expected`` spans, each of shape
            (rows, labels); see :func:`clx.ml.intervals.span_statistic`.
        second: those of the second run, for the same rows and labels.
        seed: the seed of the resampling.
        resamples: the number of resamples.

    Raises:
        ValueError: the shapes differ, or there are no rows.
    """
    _same_shape(first[0], second[0])
    statistic = _minus(span_statistic(*second), span_statistic(*first))
    return _differences(statistic, len(first[0]), seed, resamples)


def _same_shape(first: Any, second: Any) -> None:
    import numpy as np

    if np.shape(first) != np.shape(second):
        raise ValueError(
            "two runs must be compared on the same rows and labels, but their scores have the shapes "
            f"{np.shape(first)} and {np.shape(second)}"
        )


def _minus(upper: Statistic, lower: Statistic) -> Statistic:
    def difference(weights: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        subtracted = lower(weights)
        return {key: values - subtracted[key] for key, values in upper(weights).items()}

    return difference


def _differences(
    statistic: Statistic, rows: int, seed: int, resamples: int, same: bool = False
) -> dict[str, Difference]:
    """Return the statistic of the actual rows with its interval over the resamples.

    Unless both have the same scores, runs that are equally good in every resample may still differ in
    other rows: in as many as the Wilson interval of no such row allows.
    """
    import numpy as np

    resampled, differences = bootstrap(statistic, rows, resamples, seed), {}
    found = statistic(np.ones((1, rows), dtype=np.float32))
    _, unseen = wilson_interval(0.0, rows)
    for key, values in resampled.items():
        low, high = percentile_interval(values)
        if not (same or key in NOT_SHARES or np.any(values)):
            low, high = -unseen, unseen
        differences[key] = Difference(float(found[key][0]), low, high)
    return differences
