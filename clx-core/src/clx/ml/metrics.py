"""Metrics as plain functions over numpy arrays. Labels (the truth) come first in every call.

This module is public: any task may use it in ``compute_metrics`` and ``evaluation_tables``. The
definitions are scikit-learn's, with ``zero_division=0``. For rows with several labels see
:mod:`clx.ml.multilabel_metrics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


MAX_PART = 2**24
"""The most logits that are converted to float64 at a time."""


def confusion_matrix(labels: Any, predictions: Any, num_labels: int) -> np.ndarray[Any, Any]:
    """Return counts of shape (num_labels, num_labels): one row per label, one column per prediction.

    Args:
        labels: label ids, shape (rows,).
        predictions: predicted ids, shape (rows,).
        num_labels: the number of labels, including those that do not occur.
    """
    import numpy as np

    cells = np.asarray(labels, dtype=np.int64) * num_labels + np.asarray(
        predictions, dtype=np.int64
    )
    return np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)


def precision_recall_f1(confusion: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1 of each label, each of shape (num_labels,)."""
    import numpy as np

    return _rates(np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1))


def _rates(hits: Any, predicted: Any, actual: Any) -> tuple[Any, Any, Any]:
    """Return the precision, recall and F1 of each label from its row counts."""
    return ratio(hits, predicted), ratio(hits, actual), ratio(2 * hits, predicted + actual)


def _label_counts(labels: Any, predictions: Any, num_labels: int) -> tuple[Any, Any, Any]:
    """Return the number of rows per label that are right, that are predicted, and that are given.

    These are the diagonal and the sums of the confusion matrix, which would be large for many
    labels.
    """
    import numpy as np

    given, predicted = (np.asarray(ids, dtype=np.int64) for ids in (labels, predictions))
    right = given[given == predicted]
    hits, found, support = (
        np.bincount(ids, minlength=num_labels) for ids in (right, predicted, given)
    )
    return hits, found, support


def ratio(above: Any, below: Any, nothing: float = 0.0) -> np.ndarray[Any, Any]:
    """Return ``above / below`` elementwise, and ``nothing`` where ``below`` is 0.

    Args:
        above: numbers of any shape.
        below: non-negative numbers of the same shape.
        nothing: the value for a zero ``below``, scikit-learn's ``zero_division``.
    """
    import numpy as np

    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    result = np.full(above.shape, nothing)
    np.divide(above, below, out=result, where=below > 0)
    return result


def classification_metrics(labels: Any, logits: Any) -> dict[str, float]:
    """Return accuracy, F1 (macro, micro, weighted), log loss and ECE of single-label predictions.

    Macro-F1 averages over the labels that occur in the truth or among the predictions; weighted F1
    weights each label by its support. Log loss is the mean of ``-log p(label)`` in nats. ECE is the
    expected calibration error of the top probability, see :func:`expected_calibration_error`.

    Args:
        labels: label ids, shape (rows,).
        logits: scores before the softmax, shape (rows, num_labels).
    """
    import numpy as np

    labels = np.asarray(labels, dtype=np.int64)
    logits = np.asarray(logits)
    predicted, top, own = row_log_probabilities(labels, logits)
    hits, found, support = _label_counts(labels, predicted, logits.shape[1])
    _, _, f1 = _rates(hits, found, support)
    accuracy = float(hits.sum() / len(labels))
    return {
        "accuracy": accuracy,
        "f1_macro": float(f1[(support + found) > 0].mean()),
        # Every row has one label and one prediction, so micro-F1 equals accuracy.
        "f1_micro": accuracy,
        "f1_weighted": float(np.average(f1, weights=support)),
        "log_loss": float(-own.mean()),
        "ece": expected_calibration_error(predicted == labels, np.exp(top)),
    }


def row_log_probabilities(labels: Any, logits: Any) -> tuple[Any, Any, Any]:
    """Return the predicted ids, their log probabilities, and those of the labels; each (rows,).

    Logits of many labels are converted to float64 in parts.
    """
    import numpy as np

    rows = max(1, MAX_PART // max(1, logits.shape[1]))
    parts = []
    for start in range(0, max(1, len(logits)), rows):
        part = np.asarray(logits[start : start + rows], dtype=np.float64)
        logs, own = log_softmax(part), labels[start : start + rows]
        parts.append((part.argmax(axis=1), logs.max(axis=1), logs[np.arange(len(own)), own]))
    predicted, top, given = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return predicted, top, given


def log_softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the logarithm of the softmax over the last axis, without overflow."""
    import numpy as np

    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: np.ndarray[Any, Any] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def calibration_counts(
    correct: Any, confidence: Any, bins: int = 15
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the correct answers, the sum of confidences and the count per bin, each of shape (bins,).

    The bins have equal width and are closed on the right, ((m - 1) / bins, m / bins]. The first bin
    includes 0.

    Args:
        correct: whether each answer is right, shape (answers,).
        confidence: the predicted probability that it is right, shape (answers,).
        bins: the number of bins between 0 and 1.
    """
    import numpy as np

    confidence = np.asarray(confidence, dtype=np.float64)
    where = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    return (
        np.bincount(where, weights=np.asarray(correct, dtype=np.float64), minlength=bins),
        np.bincount(where, weights=confidence, minlength=bins),
        np.bincount(where, minlength=bins),
    )


def expected_calibration_error(correct: Any, confidence: Any, bins: int = 15) -> float:
    """Return the mean of |accuracy - mean confidence| over bins, weighted by their counts.

    This is equation 3 of Guo et al. (2017), "On Calibration of Modern Neural Networks".

    Args:
        correct: whether each answer is right, shape (answers,).
        confidence: the predicted probability that it is right, shape (answers,).
        bins: the number of equal-width bins between 0 and 1.
    """
    import numpy as np

    right, confidences, count = calibration_counts(correct, confidence, bins)
    return float(np.abs(right - confidences).sum() / count.sum())


def calibration_frame(correct: Any, confidence: Any, bins: int = 15) -> pd.DataFrame:
    """Return mean confidence, accuracy and count per bin, without empty bins.

    The index ``bin`` holds the limits as text, such as ``0.933-1.000``, in ascending order. The
    arguments are those of :func:`calibration_counts`.
    """
    import numpy as np
    import pandas as pd

    right, confidences, count = calibration_counts(correct, confidence, bins)
    used = np.flatnonzero(count)
    limits = [f"{m / bins:.3f}-{(m + 1) / bins:.3f}" for m in used]
    return pd.DataFrame(
        {
            "confidence": confidences[used] / count[used],
            "accuracy": right[used] / count[used],
            "count": count[used],
        },
        index=pd.Index(limits, name="bin"),
    )


def calibration_table(labels: Any, logits: Any, bins: int = 15) -> pd.DataFrame:
    """Return mean top probability, accuracy and number of rows per bin of the top probability.

    The columns and the index are those of :func:`calibration_frame`.

    Args:
        labels: label ids, shape (rows,).
        logits: scores before the softmax, shape (rows, num_labels).
        bins: the number of equal-width bins between 0 and 1.
    """
    import numpy as np

    labels = np.asarray(labels, dtype=np.int64)
    predicted, top, _ = row_log_probabilities(labels, np.asarray(logits))
    return calibration_frame(predicted == labels, np.exp(top), bins)


def per_label_table(labels: Any, predictions: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall, F1 and support, one row per label in the order of ``label_names``."""
    import pandas as pd

    hits, predicted, support = _label_counts(labels, predictions, len(label_names))
    precision, recall, f1 = _rates(hits, predicted, support)
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": support,
        },
        index=pd.Index(label_names, name="label"),
    )


def confusion_table(labels: Any, predictions: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return the confusion matrix with names: one row per label, one column per prediction."""
    import pandas as pd

    return pd.DataFrame(
        confusion_matrix(labels, predictions, len(label_names)),
        index=pd.Index(label_names, name="label"),
        columns=pd.Index(label_names, name="predicted"),
    )


_HIGHER = (
    "accuracy",
    "average_precision",
    "coverage",
    "f1",
    "precision",
    "recall",
    # Names from other packages and tasks.
    "auc",
    "kappa",
    "matthews_correlation",
    "pearson",
    "pearsonr",
    "r2",
    "spearman",
    "spearmanr",
)
_LOWER = ("brier", "ece", "loss", "error", "mae", "mse", "perplexity", "rmse", "wer")


def higher_is_better(metric: str) -> bool | None:
    """Return whether a higher value of a metric is better, None if its name does not say.

    Knows the metrics of clx and the usual ones of other packages, with the prefix ``eval_``, and with
    an average or a label at either end: ``f1_macro``, ``precision_fruit``, ``PER_f1``.

    Args:
        metric: a key of ``compute_metrics``, such as ``log_loss``.
    """
    name = f"_{metric.removeprefix('eval_')}_"
    # Finally, the known name may be in the middle, as in span_f1_macro.
    for fits in (name.startswith, name.endswith, name.__contains__):
        for known, higher in ((_HIGHER, True), (_LOWER, False)):
            if any(fits(f"_{each}_") for each in known):
                return higher
    return None
