"""Metrics of multi-label predictions over numpy arrays. Labels (the truth) go first in every call.

``labels`` is a matrix of 0 and 1 (or bool), shape (rows, num_labels); ``scores`` are sigmoid scores
of the same shape; ``thresholds`` are one number or one a label, shape (num_labels,). A label is
predicted where ``score >= threshold``.

Public: a task of anybody's may use them. The definitions are scikit-learn's. What has nothing to
divide by counts as 0, as with its ``zero_division=0``, but for the F1 of a row without labels for
which none is predicted: that row is right and counts as 1, as with ``zero_division=1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.metrics import calibration_frame, expected_calibration_error, ratio

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def checked_matrices(labels: Any, scores: Any) -> tuple[Any, Any]:
    """Return labels as bool and scores as floats, both of shape (rows, num_labels).

    Raises:
        ValueError: the shapes differ, there are no rows, or labels are not 0 or 1.
    """
    import numpy as np

    truth, scores = np.asarray(labels), np.asarray(scores)
    if truth.ndim != 2 or truth.shape != scores.shape or 0 in truth.shape:
        raise ValueError(
            "labels and scores must be matrices of one shape (rows, num_labels) with at least one "
            f"row, but have the shapes {truth.shape} and {scores.shape}"
        )
    present = truth.astype(bool)
    if not (present == truth).all():
        raise ValueError("labels must be 0 or 1; are labels and scores in the right order?")
    floating = np.issubdtype(scores.dtype, np.floating)
    return present, scores if floating else scores.astype(np.float64)


def sigmoid(logits: Any) -> np.ndarray[Any, Any]:
    """Return ``1 / (1 + exp(-logits))`` in float64, without overflow, in the shape of ``logits``."""
    import numpy as np

    result: np.ndarray[Any, Any] = np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64)))
    return result


def decisions(scores: Any, thresholds: Any) -> np.ndarray[Any, Any]:
    """Return which labels are predicted, bool of shape (rows, num_labels): score ≥ threshold.

    Raises:
        ValueError: the thresholds are neither one number nor one a label.
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
    """Return each row's F1, shape (rows,); 1 for a row without labels for which none is predicted.

    Args:
        labels: bool, shape (rows, num_labels).
        predicted: bool, shape (rows, num_labels).
    """
    hits = (labels & predicted).sum(axis=1)
    return ratio(2 * hits, labels.sum(axis=1) + predicted.sum(axis=1), nothing=1.0)


def ranked_counts(
    labels: Any, scores: Any
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return what every possible threshold of one label leads to.

    Args:
        labels: bool, shape (rows,).
        scores: shape (rows,).

    Returns:
        The distinct scores, highest first; how many rows with at least that score have the label;
        and how many have at least that score at all. Each of shape (distinct scores,).
    """
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ranked[last], np.cumsum(labels[order])[last], last + 1


def average_precision(labels: Any, scores: Any) -> np.ndarray[Any, Any]:
    """Return each label's average precision, shape (num_labels,); 0 for one that never occurs.

    It is the sum over the thresholds of (recall gained) × precision, without interpolation, as in
    scikit-learn's ``average_precision_score``.
    """
    import numpy as np

    labels, scores = checked_matrices(labels, scores)
    result = np.zeros(labels.shape[1])
    for label in np.flatnonzero(labels.any(axis=0)):
        _, hits, count = ranked_counts(labels[:, label], scores[:, label])
        result[label] = (np.diff(hits, prepend=0) * hits / count).sum() / hits[-1]
    return result


def multilabel_metrics(labels: Any, scores: Any, thresholds: Any) -> dict[str, float]:
    """Return the metrics of multi-label predictions.

    - ``f1_micro``, ``precision_micro``, ``recall_micro``: over all decisions (row × label).
    - ``f1_macro``: the mean over the labels that occur or are predicted; 0 when there is none.
    - ``f1_samples``: the mean over rows, see :func:`sample_f1`.
    - ``subset_accuracy``: the share of rows whose labels are all right.
    - ``average_precision``: the mean over the labels that occur (macro); 0 when there is none.
    - ``log_loss``: the mean binary cross-entropy of the decisions in nats, scores being kept off 0
      and 1 by the resolution of their type, as scikit-learn does.
    - ``ece``: the expected calibration error of the decisions' scores: in each of 15 bins of the
      score, how far its mean is from the share of decisions whose label is there. It does not
      depend on the thresholds. Most decisions of a data set with many labels are easy negatives,
      so that it is small compared with the ECE of single-label classification.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        thresholds: one number, or one a label, shape (num_labels,).

    Raises:
        ValueError: shapes that do not fit, no rows, or labels other than 0 and 1.
    """
    import numpy as np

    labels, scores = checked_matrices(labels, scores)
    predicted = decisions(scores, thresholds)
    *_, f1 = _per_label(labels, predicted)
    hits, found, actual = (labels & predicted).sum(), predicted.sum(), labels.sum()
    occurs = labels.any(axis=0) | predicted.any(axis=0)
    ranked = average_precision(labels, scores)[labels.any(axis=0)]
    return {
        "f1_micro": float(ratio(2 * hits, found + actual)),
        "f1_macro": float(f1[occurs].mean()) if occurs.any() else 0.0,
        "f1_samples": float(sample_f1(labels, predicted).mean()),
        "subset_accuracy": float((labels == predicted).all(axis=1).mean()),
        "average_precision": float(ranked.mean()) if len(ranked) else 0.0,
        "precision_micro": float(ratio(hits, found)),
        "recall_micro": float(ratio(hits, actual)),
        "log_loss": _cross_entropy(labels, scores),
        "ece": expected_calibration_error(labels.ravel(), np.ravel(scores)),
    }


def _cross_entropy(labels: Any, scores: Any) -> float:
    import numpy as np

    resolution = np.finfo(scores.dtype).eps
    inside = np.clip(scores, resolution, 1 - resolution).astype(np.float64)
    return float(-np.where(labels, np.log(inside), np.log1p(-inside)).mean())


def _per_label(labels: Any, predicted: Any) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1 of each label, each of shape (num_labels,)."""
    hits = (labels & predicted).sum(axis=0)
    found, actual = predicted.sum(axis=0), labels.sum(axis=0)
    return ratio(hits, found), ratio(hits, actual), ratio(2 * hits, found + actual)


def multilabel_table(
    labels: Any, scores: Any, thresholds: Any, label_names: Sequence[str]
) -> pd.DataFrame:
    """Return precision, recall, F1, support, threshold and average precision, a row a label.

    The rows are in the order of ``label_names``; the arguments are those of
    :func:`multilabel_metrics`. A label that never occurs has the average precision 0.
    """
    import numpy as np
    import pandas as pd

    labels, scores = checked_matrices(labels, scores)
    precision, recall, f1 = _per_label(labels, decisions(scores, thresholds))
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": labels.sum(axis=0),
            "threshold": np.broadcast_to(np.asarray(thresholds, np.float64), f1.shape).copy(),
            "average_precision": average_precision(labels, scores),
        },
        index=pd.Index(label_names, name="label"),
    )


def co_occurrence_table(labels: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return how many rows have both labels, a row and a column a label; the diagonal is support.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        label_names: the names in the order of the columns.
    """
    import numpy as np
    import pandas as pd

    # Products of floats are done by BLAS; counts below 2**53 are exact.
    present = np.asarray(labels, dtype=np.float64)
    return pd.DataFrame(
        (present.T @ present).astype(np.int64),
        index=pd.Index(label_names, name="label"),
        columns=pd.Index(label_names, name="with"),
    )


def multilabel_calibration_table(labels: Any, scores: Any, bins: int = 15) -> pd.DataFrame:
    """Return mean score, share of decisions whose label is there, and their count, a row a bin.

    The columns are ``confidence``, ``accuracy`` and ``count``, over all decisions (row × label); the
    form is that of :func:`clx.ml.metrics.calibration_frame`.

    Args:
        labels: 0 or 1, shape (rows, num_labels).
        scores: sigmoid scores, shape (rows, num_labels).
        bins: how many equally wide bins there are between 0 and 1.
    """
    labels, scores = checked_matrices(labels, scores)
    return calibration_frame(labels.ravel(), scores.ravel(), bins)
