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

    given, predicted = (np.asarray(ids, dtype=np.int64) for ids in (labels, predictions))
    cells = given * num_labels + predicted
    return np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)


def precision_recall_f1(confusion: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1 of each label, each of shape (num_labels,)."""
    import numpy as np

    return _rates(np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1))


def _rates(hits: Any, predicted: Any, actual: Any) -> tuple[Any, Any, Any]:
    """Return the precision, recall and F1 of each label from its row counts."""
    return ratio(hits, predicted), ratio(hits, actual), ratio(2 * hits, predicted + actual)


def _label_counts(
    labels: Any, predictions: Any, num_labels: int, weights: Any = None
) -> tuple[Any, Any, Any]:
    """Return the rows per label (or their weights) that are right, predicted, and given.

    These are the diagonal and the sums of the confusion matrix, which would be large for many
    labels.
    """
    import numpy as np

    given, predicted = (np.asarray(ids, dtype=np.int64) for ids in (labels, predictions))
    right = given == predicted
    hits = np.bincount(given[right], None if weights is None else weights[right], num_labels)
    found, support = (np.bincount(ids, weights, num_labels) for ids in (predicted, given))
    return hits, found, support


def weighted_mean(values: Any, weights: Any = None) -> float:
    """Return the mean over rows, each of which counts with its weight; None weighs all the same."""
    import numpy as np

    return float(np.mean(values) if weights is None else np.average(values, weights=weights))


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


def classification_metrics(
    labels: Any, logits: Any, weights: Any = None, probabilities: Any = None
) -> dict[str, float]:
    """Return accuracy, F1 (macro, micro, weighted), log loss and ECE of single-label predictions.

    Macro-F1 averages over the labels that occur in the truth or among the predictions; weighted F1
    weights each label by its support. Log loss is the mean of ``-log p(label)`` in nats. ECE is the
    expected calibration error of the top probability, see :func:`expected_calibration_error`.

    Args:
        labels: label ids, shape (rows,).
        logits: scores before the softmax, shape (rows, num_labels).
        weights: how much each row counts, shape (rows,); None weighs all rows equally.
        probabilities: the soft labels, shape (rows, num_labels). With them there is a
            ``soft_log_loss``, the mean cross-entropy of the scores and these probabilities.
    """
    import numpy as np

    labels, logits = np.asarray(labels, dtype=np.int64), np.asarray(logits)
    predicted, top, own = row_log_probabilities(labels, logits)
    hits, found, support = _label_counts(labels, predicted, logits.shape[1], weights)
    _, _, f1 = _rates(hits, found, support)
    accuracy = float(hits.sum() / support.sum())
    metrics = {
        "accuracy": accuracy,
        "f1_macro": float(f1[(support + found) > 0].mean()),
        # Every row has one label and one prediction, so micro-F1 equals accuracy.
        "f1_micro": accuracy,
        "f1_weighted": float(np.average(f1, weights=support)),
        "log_loss": weighted_mean(-own, weights),
        "ece": expected_calibration_error(predicted == labels, np.exp(top), weights=weights),
    }
    if probabilities is not None:
        logs = log_softmax(logits.astype(np.float64))
        metrics["soft_log_loss"] = weighted_mean(-(probabilities * logs).sum(axis=1), weights)
    return metrics


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
    correct: Any, confidence: Any, bins: int = 15, weights: Any = None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the right answers, the sum of confidences and the count per bin, each of shape (bins,).

    The bins have equal width and are closed on the right, the first one on both sides.

    Args:
        correct: whether each answer is right, shape (answers,).
        confidence: the predicted probability that it is right, shape (answers,).
        bins: the number of bins between 0 and 1.
        weights: how much each answer counts, shape (answers,); None weighs all rows equally.
    """
    import numpy as np

    confidence, correct = (np.asarray(v, dtype=np.float64) for v in (confidence, correct))
    factor: Any = 1 if weights is None else np.asarray(weights)
    where = np.searchsorted(np.arange(1, bins) / bins, confidence, side="left")
    return (
        np.bincount(where, weights=correct * factor, minlength=bins),
        np.bincount(where, weights=confidence * factor, minlength=bins),
        np.bincount(where, weights=weights, minlength=bins),
    )


def expected_calibration_error(
    correct: Any, confidence: Any, bins: int = 15, weights: Any = None
) -> float:
    """Return the mean of |accuracy - mean confidence| over bins, weighted by their counts.

    This is equation 3 of Guo et al. (2017), "On Calibration of Modern Neural Networks". The arguments
    are those of :func:`calibration_counts`.
    """
    import numpy as np

    right, confidences, count = calibration_counts(correct, confidence, bins, weights)
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


def per_label_table(
    labels: Any, predictions: Any, label_names: Sequence[str], weights: Any = None
) -> pd.DataFrame:
    """Return precision, recall, F1 and support, one row per label in the order of ``label_names``.

    With weights of rows, the rates are weighted, and the support is still a number of rows.
    """
    import numpy as np
    import pandas as pd

    hits, predicted, support = _label_counts(labels, predictions, len(label_names), weights)
    precision, recall, f1 = _rates(hits, predicted, support)
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": np.bincount(np.asarray(labels, dtype=np.int64), minlength=len(label_names)),
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
