"""Metrics as plain functions over numpy arrays. Labels (the truth) go first in every call.

Public: a task of anybody's may use them in ``compute_metrics`` and ``evaluation_tables``. The
definitions are scikit-learn's; a label with nothing to divide by counts as 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def confusion_matrix(labels: Any, predictions: Any, num_labels: int) -> np.ndarray[Any, Any]:
    """Return counts, shape (num_labels, num_labels): row the label, column the prediction.

    Args:
        labels: label ids, shape (rows,).
        predictions: predicted ids, shape (rows,).
        num_labels: how many labels there are, also those that do not occur.
    """
    import numpy as np

    cells = np.asarray(labels, dtype=np.int64) * num_labels + np.asarray(
        predictions, dtype=np.int64
    )
    return np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)


def precision_recall_f1(confusion: np.ndarray[Any, Any]) -> tuple[Any, Any, Any]:
    """Return precision, recall and F1 of each label, each of shape (num_labels,)."""
    import numpy as np

    hits = np.diag(confusion).astype(float)
    predicted, actual = confusion.sum(axis=0), confusion.sum(axis=1)
    return (
        _ratio(hits, predicted),
        _ratio(hits, actual),
        _ratio(2 * hits, predicted + actual),
    )


def _ratio(above: Any, below: Any) -> Any:
    import numpy as np

    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def classification_metrics(labels: Any, logits: Any) -> dict[str, float]:
    """Return accuracy, F1 (macro, micro, weighted) and log-loss of single-label predictions.

    Macro-F1 is the mean over the labels that occur, in the truth or among the predictions; weighted
    is by support. Log-loss is the mean of ``-log p(label)`` in nats.

    Args:
        labels: label ids, shape (rows,).
        logits: scores before the softmax, shape (rows, num_labels).
    """
    import numpy as np

    logits = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(labels, dtype=np.int64)
    confusion = confusion_matrix(labels, logits.argmax(axis=1), logits.shape[1])
    _, _, f1 = precision_recall_f1(confusion)
    support = confusion.sum(axis=1)
    occurs = (support + confusion.sum(axis=0)) > 0
    accuracy = float(np.diag(confusion).sum() / len(labels))
    return {
        "accuracy": accuracy,
        "f1_macro": float(f1[occurs].mean()),
        # Every row has one label and one prediction, so that micro-F1 is the accuracy.
        "f1_micro": accuracy,
        "f1_weighted": float(np.average(f1, weights=support)),
        "log_loss": float(-log_softmax(logits)[np.arange(len(labels)), labels].mean()),
    }


def log_softmax(logits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the logarithm of the softmax over the last axis, without overflow."""
    import numpy as np

    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: np.ndarray[Any, Any] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def per_label_table(labels: Any, predictions: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall, F1 and support, one row a label in the order of ``label_names``."""
    import pandas as pd

    confusion = confusion_matrix(labels, predictions, len(label_names))
    precision, recall, f1 = precision_recall_f1(confusion)
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": confusion.sum(axis=1),
        },
        index=pd.Index(label_names, name="label"),
    )


def confusion_table(labels: Any, predictions: Any, label_names: Sequence[str]) -> pd.DataFrame:
    """Return the confusion matrix with names: a row a label, a column a prediction."""
    import pandas as pd

    return pd.DataFrame(
        confusion_matrix(labels, predictions, len(label_names)),
        index=pd.Index(label_names, name="label"),
        columns=pd.Index(label_names, name="predicted"),
    )
