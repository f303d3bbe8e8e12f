"""Metrics of multi-label predictions over numpy arrays. Labels (the truth) come first in every call.

``labels`` is a matrix of 0 and 1 (or bool) of shape (rows, num_labels). ``scores`` are sigmoid scores
of the same shape. ``thresholds`` is one number, or one per label in shape (num_labels,). A label is
predicted where ``score >= threshold``.

This module is public: any task may use it. The definitions are scikit-learn's with
``zero_division=0``. The one exception is the F1 of a row that has no labels and for which none is
predicted: such a row is right and counts as 1, as with ``zero_division=1``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.metrics import calibration_frame, expected_calibration_error, ratio, weighted_mean

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def checked_matrices(labels: Any, scores: Any) -> tuple[Any, Any]:
    """Return labels as bool and scores as floats, both of shape (rows, num_labels).

    Raises:
        ValueError: the shapes differ, there are no rows, or a label is not 0 or 1.
    """
    import numpy as np

    truth, scores = np.asarray(labels), np.asarray(scores)
    if truth.ndim != 2 or truth.shape != scores.shape or 0 in truth.shape:
        raise ValueError(
            "labels and scores must be matrices of the same shape (rows, num_labels) with at least "
            f"one row, but have the shapes {truth.shape} and {scores.shape}"
        )
    present = truth.astype(bool)
    if not (present == truth).all():
        raise ValueError("labels must be 0 or 1; are labels and scores in the right order?")
    floating = np.issubdtype(scores.dtype, np.floating)
    return present, scores if floating else scores.astype(np.float64)


def sigmoid(logits: Any) -> np.ndarray[Any, Any]:
    """Return ``1 / (1 + exp(-logits))`` in float64, in the shape of ``logits``, without overflow."""
    import numpy as np

    result: np.ndarray[Any, Any] = np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64)))
    return result


def decisions(scores: Any, thresholds: Any) -> np.ndarray[Any, Any]:
    """Return which labels reach their threshold, as bool of shape (rows, num_labels).

    Raises:
        ValueError: the thresholds are neither one number nor one per label.
    """
    import numpy as np

    scores, limits = np.asarray(scores), np.asarray(thresholds, dtype=np.float64)
    if limits.shape not in {(), scores.shape[-1:]}:
        raise ValueError(
            f"thresholds must have the shape ({scores.shape[-1]},), but have {limits.shape}"
        )
    decided: np.ndarray[Any, Any] = scores >= limits
    return decided


def sample_f1(labels: Any, predicted: Any) -> np.ndarray[Any, Any]:
    """Return the F1 of each row, shape (rows,); 1 where a row has no labels and none is predicted.

    Args:
        labels: bool, shape (rows, num_labels).
        predicted: bool, shape (rows, num_labels).
    """
    hits = (labels & predicted).sum(axis=1)
    return ratio(2 * hits, labels.sum(axis=1) + predicted.sum(axis=1), nothing=1.0)


def ranked_counts(
    labels: Any, scores: Any, weights: Any = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the counts of true and predicted positives at every threshold of one label.

    Args:
        labels: bool, shape (rows,).
        scores: shape (rows,).
        weights: how much each row counts, positive, shape (rows,); None counts rows.

    Returns:
        Three arrays of shape (distinct scores,): the distinct scores in descending order; how many
        of the rows with at least that score have the label; how many rows have at least that score.
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    if weights is None:
        return ranked[last], np.cumsum(labels[order])[last], last + 1
    weighed = np.asarray(weights, dtype=np.float64)[order]
    return ranked[last], np.cumsum(weighed * labels[order])[last], np.cumsum(weighed)[last]


def average_precision(labels: Any, scores: Any, weights: Any = None) -> np.ndarray[Any, Any]:
    """Return the average precision of each label, shape (num_labels,); 0 if it never occurs.

    This is the sum of (increase in recall) × precision over the thresholds, without interpolation,
    as in scikit-learn's ``average_precision_score``.
    """
    import numpy as np

    labels, scores = checked_matrices(labels, scores)
    result = np.zeros(labels.shape[1])
    for label in np.flatnonzero(labels.any(axis=0)):
        _, hits, count = ranked_counts(labels[:, label], scores[:, label], weights)
        result[label] = (np.diff(hits, prepend=0) * hits / count).sum() / hits[-1]
    return result


def multilabel_metrics(
    labels: Any, scores: Any, thresholds: Any, weights: Any = None, probabilities: Any = None
) -> dict[str, float]:
    """Return the metrics of multi-label predictions.

    - ``f1_micro``, ``precision_micro``, ``recall_micro``: over all decisions (row × label).
    - ``f1_macro``: the mean over the labels that occur or are predicted; 0 if there are none.
    - ``f1_samples``: the mean over rows, see :func:`sample_f1`.
    - ``subset_accuracy``: the fraction of rows whose labels are all right.
    - ``average_precision``: the mean over the labels that occur (macro); 0 if there are none.
    - ``log_loss``: the mean binary cross-entropy over all decisions, in nats. As in scikit-learn,
      scores are clipped away from 0 and 1 by the machine epsilon of their type.
    - ``ece``: the expected calibration error over all decisions: the difference between the mean
      score and the fraction of positives in each of 15 bins of the score. It does not depend on the
      thresholds. With many labels most decisions are easy negatives, so it is small compared with
      the ECE of single-label classification.
    - ``soft_log_loss``, with probabilities: the mean binary cross-entropy of the scores and them.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        thresholds: one number, or one per label in shape (num_labels,).
        weights: how much each row counts, shape (rows,); None weighs all rows equally.
        probabilities: the soft labels, shape (rows, num_labels).

    Raises:
        ValueError: the shapes do not match, there are no rows, or a label is not 0 or 1.
    """
    import numpy as np

    labels, scores = checked_matrices(labels, scores)
    predicted = decisions(scores, thresholds)
    *_, f1 = _per_label(labels, predicted, weights)
    hits, found, actual = (
        _sums(marks, weights).sum() for marks in (labels & predicted, predicted, labels)
    )
    occurs = labels.any(axis=0) | predicted.any(axis=0)
    ranked = average_precision(labels, scores, weights)[labels.any(axis=0)]
    of_decisions = None if weights is None else np.repeat(weights, labels.shape[1])
    metrics = {
        "f1_micro": float(ratio(2 * hits, found + actual)),
        "f1_macro": float(f1[occurs].mean()) if occurs.any() else 0.0,
        "f1_samples": weighted_mean(sample_f1(labels, predicted), weights),
        "subset_accuracy": weighted_mean((labels == predicted).all(axis=1), weights),
        "average_precision": float(ranked.mean()) if len(ranked) else 0.0,
        "precision_micro": float(ratio(hits, found)),
        "recall_micro": float(ratio(hits, actual)),
        "log_loss": _cross_entropy(labels, scores, of_decisions),
        "ece": expected_calibration_error(labels.ravel(), np.ravel(scores), weights=of_decisions),
    }
    if probabilities is not None:
        metrics["soft_log_loss"] = _cross_entropy(probabilities, scores, of_decisions)
    return metrics


def _cross_entropy(labels: Any, scores: Any, weights: Any = None) -> float:
    """Return the mean over all decisions; labels may be probabilities."""
    import numpy as np

    resolution = np.finfo(scores.dtype).eps
    inside = np.clip(scores, resolution, 1 - resolution).astype(np.float64)
    yes, no = np.log(inside), np.log1p(-inside)
    if labels.dtype == bool:
        return weighted_mean(-np.where(labels, yes, no).ravel(), weights)
    return weighted_mean(-(labels * yes + (1 - labels) * no).ravel(), weights)


def _sums(marks: Any, weights: Any) -> Any:
    """Return the number of rows with each mark, or the sum of their weights; shape (num_labels,)."""
    return marks.sum(axis=0) if weights is None else weights @ marks


def _per_label(labels: Any, predicted: Any, weights: Any = None) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1 of each label, each of shape (num_labels,)."""
    hits = _sums(labels & predicted, weights)
    found, actual = _sums(predicted, weights), _sums(labels, weights)
    return ratio(hits, found), ratio(hits, actual), ratio(2 * hits, found + actual)


def multilabel_table(
    labels: Any, scores: Any, thresholds: Any, label_names: Sequence[str], weights: Any = None
) -> pd.DataFrame:
    """Return precision, recall, F1, support, threshold and average precision, one row per label.

    The rows are in the order of ``label_names``. The other arguments are those of
    :func:`multilabel_metrics`. The average precision of a label that never occurs is 0. With weights,
    the support is still a number of rows.
    """
    import numpy as np
    import pandas as pd

    labels, scores = checked_matrices(labels, scores)
    precision, recall, f1 = _per_label(labels, decisions(scores, thresholds), weights)
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": labels.sum(axis=0),
            "threshold": np.broadcast_to(np.asarray(thresholds, np.float64), f1.shape).copy(),
            "average_precision": average_precision(labels, scores, weights),
        },
        index=pd.Index(label_names, name="label"),
    )


def co_occurrence_table(labels: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return how many rows have both labels of each pair; the diagonal is the support.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        label_names: the name of each column.
    """
    import numpy as np
    import pandas as pd

    # BLAS multiplies only floats. Counts below 2**53 stay exact.
    present = np.asarray(labels, dtype=np.float64)
    return pd.DataFrame(
        (present.T @ present).astype(np.int64),
        index=pd.Index(label_names, name="label"),
        columns=pd.Index(label_names, name="with"),
    )


def multilabel_calibration_table(labels: Any, scores: Any, bins: int = 15) -> pd.DataFrame:
    """Return mean score, fraction of positives and number of decisions per bin of the score.

    The columns are ``confidence``, ``accuracy`` and ``count``, over all decisions (row × label), as
    in :func:`clx.ml.metrics.calibration_frame`.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        bins: the number of equal-width bins between 0 and 1.
    """
    labels, scores = checked_matrices(labels, scores)
    return calibration_frame(labels.ravel(), scores.ravel(), bins)


def mark_counts(labels: Any, predicted: Any) -> Callable[[Any], tuple[Any, Any, Any]]:
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


def id_counts(labels: Any, predicted: Any) -> Callable[[Any], tuple[Any, Any, Any]]:
    """Return what :func:`mark_counts` returns, for ids and without a column for every label.

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
