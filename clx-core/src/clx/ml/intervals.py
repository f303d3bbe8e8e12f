"""95 % intervals of metrics. Labels (the truth) come first in every call.

Accuracy and subset accuracy have a Wilson interval, other metrics one of the percentile bootstrap
(Efron & Tibshirani, 1993, "An Introduction to the Bootstrap", chapter 13). A metric of a resample is
computed from how often each row was drawn (its weight). Resamples of rows without a mistake have none
either, so the limits of F1, precision and recall leave at least the room of a Wilson interval.

An interval shows how much a metric depends on the choice of evaluation rows, not on the training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from clx.ml.metrics import ratio, row_log_probabilities
from clx.ml.multilabel_metrics import checked_matrices, decisions, id_counts, mark_counts, sample_f1

if TYPE_CHECKING:
    import numpy as np

Statistic = Callable[["np.ndarray[Any, Any]"], "dict[str, np.ndarray[Any, Any]]"]
"""Maps weights of shape (resamples, rows) to metrics of shape (resamples,)."""

RESAMPLES = 1000
LEVEL = 0.95
MANY_LABELS = 200
"""For more labels, counting by label is faster than a matrix product and needs less memory."""

CELLS = 4_000_000
"""The number of weights held in memory at once: 16 MB in float32."""


def resample_weights(
    rows: int, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield chunks of how often each row is drawn, float32 of shape (resamples in chunk, rows).

    Each resample sums to ``rows``. The same arguments always give the same weights.

    Raises:
        ValueError: there are no rows.
    """
    import numpy as np

    if rows < 1:
        raise ValueError("there are no rows to draw from")
    random = np.random.default_rng(seed)
    chunk = max(1, CELLS // rows)
    for start in range(0, resamples, chunk):
        many = min(chunk, resamples - start)
        drawn = random.integers(0, rows, size=(many, rows))
        drawn += np.arange(many)[:, None] * rows
        counts = np.bincount(drawn.ravel(), minlength=many * rows)
        yield counts.reshape(many, rows).astype(np.float32)


def bootstrap(
    statistic: Statistic, rows: int, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, np.ndarray[Any, Any]]:
    """Return each metric over all resamples, in shape (resamples,)."""
    import numpy as np

    parts = [statistic(weights) for weights in resample_weights(rows, resamples, seed)]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def percentile_interval(values: Any, level: float = LEVEL) -> tuple[float, float]:
    """Return the limits of the central ``level`` of the values, as (low, high)."""
    import numpy as np

    outside = (1 - level) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return float(low), float(high)


def classification_statistic(labels: Any, logits: Any) -> Statistic:
    """Return a function from row weights to accuracy, f1_macro, f1_weighted and log_loss.

    Weights of 1 give the values of ``classification_metrics``; others, those of repeated rows.

    Args:
        labels: label ids, shape (rows,).
        logits: scores before the softmax, shape (rows, num_labels).
    """
    import numpy as np

    labels = np.asarray(labels, dtype=np.int64)
    predicted, _, own = row_log_probabilities(labels, np.asarray(logits))
    losses = -own
    # Labels that neither occur nor are predicted do not affect the metrics.
    used = np.union1d(labels, predicted)
    if len(used) > MANY_LABELS:
        counts = id_counts(np.searchsorted(used, labels), np.searchsorted(used, predicted))
    else:
        counts = mark_counts(labels[:, None] == used, predicted[:, None] == used)

    def metrics(weights: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        hits, predictions, support = counts(weights)
        f1 = ratio(2 * hits, predictions + support)
        rows = support.sum(axis=1)
        return {
            "accuracy": hits.sum(axis=1) / rows,
            "f1_macro": _mean_of_used(f1, predictions + support),
            "f1_weighted": (f1 * support).sum(axis=1) / rows,
            "log_loss": weights.astype(np.float64) @ losses / rows,
        }

    return metrics


def multilabel_statistic(labels: Any, scores: Any, thresholds: Any) -> Statistic:
    """Return a function from row weights to f1_micro, f1_macro, f1_samples and subset_accuracy.

    Weights of 1 give the values of ``multilabel_metrics``, which has the same arguments.
    """
    import numpy as np

    labels, scores = checked_matrices(labels, scores)
    predicted = decisions(scores, thresholds)
    counts = mark_counts(labels, predicted)
    right, one = (labels == predicted).all(axis=1), np.ones(len(labels))
    row_values = np.column_stack([sample_f1(labels, predicted), right, one])

    def metrics(weights: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        hits, predictions, support = counts(weights)
        f1_samples, subset_accuracy, rows = (weights.astype(np.float64) @ row_values).T
        return {
            "f1_micro": ratio(2 * hits.sum(axis=1), (predictions + support).sum(axis=1)),
            "f1_macro": _mean_of_used(
                ratio(2 * hits, predictions + support), predictions + support
            ),
            "f1_samples": f1_samples / rows,
            "subset_accuracy": subset_accuracy / rows,
        }

    return metrics


def weighted(statistic: Statistic, weights: Any = None) -> Statistic:
    """Return a statistic in which each row also has a weight of its own.

    Args:
        statistic: a function from row weights to metrics.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.
    """
    return statistic if weights is None else lambda drawn: statistic(drawn * weights)


def span_statistic(hits: Any, predicted: Any, expected: Any) -> Statistic:
    """Return a function from row weights to precision, recall, f1 and f1_macro of spans.

    Weights of 1 give the values of ``tag_metrics``.

    Args:
        hits: the predicted spans of each label that are right, shape (rows, labels).
        predicted: the predicted spans of each label, same shape.
        expected: the expected spans of each label, same shape.
    """
    import numpy as np

    parts = [np.asarray(part, dtype=np.float64) for part in (hits, predicted, expected)]
    labels = parts[0].shape[1]
    columns = np.concatenate(parts, axis=1)

    def metrics(weights: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
        counts = weights.astype(np.float64) @ columns
        right, found, there = (counts[:, i * labels : (i + 1) * labels] for i in range(3))
        return {
            "precision": ratio(right.sum(axis=1), found.sum(axis=1)),
            "recall": ratio(right.sum(axis=1), there.sum(axis=1)),
            "f1": ratio(2 * right.sum(axis=1), (found + there).sum(axis=1)),
            "f1_macro": _mean_of_used(ratio(2 * right, found + there), found + there),
        }

    return metrics


def _mean_of_used(f1: Any, occurrences: Any) -> Any:
    """Return the mean F1 per resample over the labels that occur or are predicted in it."""
    return ratio(f1.sum(axis=1), (occurrences > 0).sum(axis=1))


def classification_intervals(
    labels: Any, logits: Any, seed: int = 0, resamples: int = RESAMPLES, weights: Any = None
) -> dict[str, float]:
    """Return 95 % intervals of accuracy, f1_macro, f1_weighted and log_loss.

    Args:
        labels: label ids, shape (rows,).
        logits: scores before the softmax, shape (rows, num_labels).
        seed: the seed of the resampling; the same seed gives the same intervals.
        resamples: the number of resamples.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.

    Returns:
        ``{key}_low`` and ``{key}_high``; log_loss has no interval if it is the same in all rows.

    Raises:
        ValueError: there are no rows.
    """
    import numpy as np

    rows, (_, of_labels) = len(labels), np.unique(labels, return_counts=True)
    known = {"accuracy": rows, "f1_macro": _of_mean(rows, of_labels), "f1_weighted": rows}
    statistic = weighted(classification_statistic(labels, logits), weights)
    return _intervals(statistic, rows, seed, resamples, _equal_rows(known, weights))


def multilabel_intervals(
    labels: Any,
    scores: Any,
    thresholds: Any,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weights: Any = None,
) -> dict[str, float]:
    """Return 95 % intervals of f1_micro, f1_macro, f1_samples and subset_accuracy.

    The thresholds are fixed: the interval does not include the uncertainty of choosing them. See
    ``multilabel_metrics`` and :func:`classification_intervals` for the arguments.

    Raises:
        ValueError: the shapes do not match, there are no rows, or a label is not 0 or 1.
    """
    labels, scores = checked_matrices(labels, scores)
    rows, used = len(labels), labels | decisions(scores, thresholds)
    known = {"f1_micro": used.any(axis=1).sum(), "f1_macro": _of_mean(rows, used.sum(axis=0))}
    known |= dict.fromkeys(("f1_samples", "subset_accuracy"), rows)
    statistic = weighted(multilabel_statistic(labels, scores, thresholds), weights)
    return _intervals(statistic, rows, seed, resamples, _equal_rows(known, weights))


def span_intervals(
    hits: Any, predicted: Any, expected: Any, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, float]:
    """Return 95 % intervals of precision, recall, f1 and f1_macro of spans; texts are resampled.

    See :func:`span_statistic` and :func:`classification_intervals`.
    """
    import numpy as np

    found, there = np.asarray(predicted) > 0, np.asarray(expected) > 0
    either = found | there
    texts = {"precision": found, "recall": there, "f1": either}
    known = {key: of.any(axis=1).sum() for key, of in texts.items()}
    known["f1_macro"] = _of_mean(len(either), either.sum(axis=0))
    return _intervals(span_statistic(hits, predicted, expected), len(hits), seed, resamples, known)


def wilson_interval(share: float, rows: float, level: float = LEVEL) -> tuple[float, float]:
    """Return the limits of a share of rows, as (low, high). Without rows, they are 0 and 1.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference",
    recommended by Brown, Cai & DasGupta (2001), "Interval estimation for a binomial proportion".
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle, around = share * rows + z**2 / 2, z * math.sqrt(share * (1 - share) * rows + z**2 / 4)
    low, high = ((middle + side) / (rows + z**2) for side in (-around, around))
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def _of_mean(rows: int, of_labels: Any) -> float:
    """Return on how many of the rows a mean over labels depends: on fewer if a label is rare."""
    of_labels = of_labels[of_labels > 0]
    return min(float(rows), len(of_labels) ** 2 / (1 / of_labels).sum()) if len(of_labels) else 0.0


def _equal_rows(known: dict[str, Any], weights: Any) -> dict[str, Any]:
    """Return how many rows of equal weight tell as much (Kish, 1965, "Survey Sampling")."""
    import numpy as np

    if weights is None:
        return known
    weights = np.asarray(weights, dtype=np.float64)
    part = weights.sum() ** 2 / (weights**2).sum() / len(weights)
    return {key: rows * part for key, rows in known.items()}


def _intervals(
    statistic: Statistic, rows: int, seed: int, resamples: int, known: dict[str, Any]
) -> dict[str, float]:
    """Return the limits of each metric; ``known`` has the rows that each share depends on."""
    import numpy as np

    resampled, result = bootstrap(statistic, rows, resamples, seed), {}
    found = statistic(np.ones((1, rows), dtype=np.float32))
    for key, values in resampled.items():
        if key not in known and np.ptp(values) < 1e-9:
            continue
        low, high = percentile_interval(values)
        if key in ("accuracy", "subset_accuracy"):
            low, high = wilson_interval(float(found[key][0]), known[key])
        elif key in known:
            perfect, _ = wilson_interval(1.0, known[key])
            low, high = min(low, perfect), max(high, 1 - perfect)
        result[f"{key}_low"], result[f"{key}_high"] = float(low), float(high)
    return result
