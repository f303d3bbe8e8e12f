"""The names of metrics and columns in a report, and what the metrics mean, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METRICS: dict[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "The share of rows with a correct prediction."),
    "subset_accuracy": (
        "Exact match",
        "The share of rows for which exactly the right labels are predicted.",
    ),
    "f1_macro": (
        "Macro F1",
        "The mean F1 of all labels. Rare labels count as much as frequent ones. 1 is perfect.",
    ),
    "f1_micro": (
        "Micro F1",
        "F1 over all single decisions. Frequent labels count more. 1 is perfect.",
    ),
    "f1_weighted": (
        "Weighted F1",
        "The mean F1 of all labels, weighted by their rows. 1 is perfect.",
    ),
    "f1_samples": ("F1 per row", "F1 of the labels of each row, averaged over rows. 1 is perfect."),
    "precision_macro": (
        "Macro precision",
        "How often a predicted label is right, averaged over labels.",
    ),
    "recall_macro": (
        "Macro recall",
        "The share of a label's rows that are found, averaged over labels.",
    ),
    "precision_micro": ("Micro precision", "The share of all predicted labels that are right."),
    "recall_micro": ("Micro recall", "The share of all given labels that are found."),
    "precision": ("Precision", "The share of predictions that are right."),
    "recall": ("Recall", "The share of given labels or spans that are found."),
    "f1": ("F1", "It is low if precision or recall is low. 1 is perfect."),
    "token_accuracy": ("Token accuracy", "The share of words with the right tag."),
    "average_precision": (
        "Average precision",
        "How well scores rank right labels above wrong ones. 1 is perfect.",
    ),
    "roc_auc": (
        "ROC AUC",
        "How well scores rank right labels above wrong ones. 0.5 is chance, 1 is perfect.",
    ),
    "log_loss": (
        "Log loss",
        "A penalty for low scores of right labels. Lower is better, 0 is perfect.",
    ),
    "brier": ("Brier score", "The mean squared error of scores. Lower is better, 0 is perfect."),
    "ece": (
        "Calibration error (ECE)",
        "The mean gap between scores and the share of right predictions. 0 is perfect.",
    ),
    "hamming_loss": ("Hamming loss", "The share of single decisions that are wrong. 0 is perfect."),
    "coverage": (
        "Coverage",
        "The share of rows with a predicted label; the model abstains on the rest.",
    ),
    "mcc": ("Matthews correlation", "Agreement beyond chance. 0 is chance, 1 is perfect."),
    "kappa": ("Cohen's kappa", "Agreement beyond chance. 0 is chance, 1 is perfect."),
    "mse": ("Mean squared error", "Lower is better, 0 is perfect."),
    "rmse": (
        "Root mean squared error",
        "In the unit of the values. Lower is better, 0 is perfect.",
    ),
    "mae": ("Mean absolute error", "In the unit of the values. Lower is better, 0 is perfect."),
    "r2": ("R²", "The share of the variance that the model explains. 1 is perfect."),
    "loss": ("Loss", "The value that training minimizes. Lower is better."),
}

HEADLINE = (
    ("accuracy", "f1_macro", "ece"),
    ("f1_micro", "f1_macro", "subset_accuracy"),
    ("f1", "f1_macro", "precision", "recall"),
)
"""The first group whose first metric exists is shown large."""

SPREAD = "_std"
"""The end of a metric's name for its standard deviation over the folds of a cross-validation."""

COLUMNS = {
    "text": "Text",
    "label": "Given",
    "labels": "Given",
    "predicted": "Predicted",
    "suggested": "Suggested",
    "score": "Score",
    "given_score": "Score of given label",
    "margin": "Margin",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "support": "Rows",
    "spans": "Spans",
    "wrong_boundary": "Wrong boundary",
    "wrong_label": "Wrong label",
    "missed": "Missed",
    "spurious": "Spurious",
    "threshold": "Threshold",
    "min_score": "Lowest score",
    "coverage": "Coverage",
    "accuracy": "Accuracy",
    "share": "Answered by the student",
    "agreement": "Equal decisions",
    "bound": "Lower bound",
    "texts_per_second": "Texts per second",
    "chosen": "Chosen",
    "rows": "Rows",
    "train": "Training",
    "eval": "Evaluation",
    "test": "Test",
}


def metric_name(key: str) -> str:
    """Return the name of a metric for people, or its key if it is not well known."""
    return METRICS[key][0] if key in METRICS else key


def column_name(key: Any) -> str:
    """Return the heading of a column."""
    return COLUMNS.get(str(key), str(key))


def without_intervals(metrics: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics that are not an interval bound or the spread of another metric."""
    ends = {f"{key}{end}" for key in metrics for end in ("_low", "_high", SPREAD)}
    return [str(key) for key in metrics if key not in ends]


def headline(metrics: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """Return the metrics to show large: those asked for, else well-known ones, else the first."""
    if wanted:
        return [key for key in wanted if key in metrics]
    for keys in HEADLINE:
        if keys[0] in metrics:
            return [key for key in keys if key in metrics]
    return without_intervals(metrics)[:3]
