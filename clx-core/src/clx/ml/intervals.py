"""95 % percentile bootstrap intervals of metrics. Labels (the truth) come first in every call.

Each resample draws as many rows as there are, with replacement. A metric of the resample is computed
from how often each row was drawn (its weight), so that 1,000 resamples take a few matrix products.
Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap", chapter 13.

The interval shows how much a metric depends on the choice of evaluation rows. It does not include the
variation between trainings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from clx.ml.metrics import ratio, row_log_probabilities
from clx.ml.multilabel_metrics import checked_matrices, decisions, sample_f1

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

    Weights of 1 give the values of ``classification_metrics``; other weights give its values for
    rows repeated that often.

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
        counts = _id_counts(np.searchsorted(used, labels), np.searchsorted(used, predicted))
    else:
        counts = _label_counts(labels[:, None] == used, predicted[:, None] == used)

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

    Weights of 1 give the values of ``multilabel_metrics``; other weights give its values for rows
    repeated that often. The arguments are the same.
    """
    import numpy as np

    labels, scores = checked_matrices(labels, scores)
    predicted = decisions(scores, thresholds)
    counts = _label_counts(labels, predicted)
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

    Weights of 1 give the values of ``tag_metrics``; other weights give its values for rows repeated
    that often.

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


def _label_counts(labels: Any, predicted: Any) -> Callable[[Any], tuple[Any, Any, Any]]:
    """Return a function from row weights to hits, predictions and support per label.

    The arguments are bool of shape (rows, num_labels); the counts have the shape (resamples,
    num_labels). Counts in float32 are exact up to 16 million rows.
    """
    import numpy as np

    columns = np.concatenate([labels & predicted, predicted, labels], axis=1).astype(np.float32)

    def counts(weights: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
        hits, predictions, support = np.split((weights @ columns).astype(np.float64), 3, axis=1)
        return hits, predictions, support

    return counts


def _id_counts(labels: Any, predicted: Any) -> Callable[[Any], tuple[Any, Any, Any]]:
    """Return what :func:`_label_counts` returns, for ids and without a column for every label.

    Each label must occur among the labels or the predictions.
    """
    import numpy as np

    total = 1 + int(max(labels.max(), predicted.max()))
    right = np.flatnonzero(labels == predicted)
    chosen = ((right, labels[right]), (slice(None), predicted), (slice(None), labels))

    def counts(weights: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
        found = np.zeros((3, len(weights), total))
        for table, (rows, ids) in zip(found, chosen, strict=True):
            for resample, drawn in zip(table, weights, strict=True):
                resample += np.bincount(ids, weights=drawn[rows], minlength=total)
        return found[0], found[1], found[2]

    return counts


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
        ``{key}_low`` and ``{key}_high`` for each key.

    Raises:
        ValueError: there are no rows.
    """
    statistic = weighted(classification_statistic(labels, logits), weights)
    return _intervals(statistic, len(labels), seed, resamples)


def multilabel_intervals(
    labels: Any,
    scores: Any,
    thresholds: Any,
    seed: int = 0,
    resamples: int = RESAMPLES,
    weights: Any = None,
) -> dict[str, float]:
    """Return 95 % intervals of f1_micro, f1_macro, f1_samples and subset_accuracy.

    The thresholds are fixed: the interval does not include the uncertainty of choosing them.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        thresholds: one number, or one per label in shape (num_labels,).
        seed: the seed of the resampling; the same seed gives the same intervals.
        resamples: the number of resamples.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.

    Returns:
        ``{key}_low`` and ``{key}_high`` for each key.

    Raises:
        ValueError: the shapes do not match, there are no rows, or a label is not 0 or 1.
    """
    statistic = weighted(multilabel_statistic(labels, scores, thresholds), weights)
    return _intervals(statistic, len(labels), seed, resamples)


def span_intervals(
    hits: Any, predicted: Any, expected: Any, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, float]:
    """Return 95 % intervals of precision, recall, f1 and f1_macro of spans; texts are resampled.

    Args:
        hits: as for :func:`span_statistic`.
        predicted: as for :func:`span_statistic`.
        expected: as for :func:`span_statistic`.
        seed: the seed of the resampling; the same seed gives the same intervals.
        resamples: the number of resamples.

    Raises:
        ValueError: there are no rows.
    """
    return _intervals(span_statistic(hits, predicted, expected), len(hits), seed, resamples)


def _intervals(statistic: Statistic, rows: int, seed: int, resamples: int) -> dict[str, float]:
    result = {}
    for key, values in bootstrap(statistic, rows, resamples, seed).items():
        result[f"{key}_low"], result[f"{key}_high"] = percentile_interval(values)
    return result
