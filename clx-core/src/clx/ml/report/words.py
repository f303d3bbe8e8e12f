"""What the metrics and columns are called in a report, and what they mean, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METRICS: dict[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "The share of rows that get the right label."),
    "subset_accuracy": ("Exact match", "The share of rows whose whole set of labels is right."),
    "f1_macro": (
        "Macro F1",
        "How complete and how precise the labels are, each label counting the same, rare or not. "
        "1 is perfect.",
    ),
    "f1_micro": (
        "Micro F1",
        "How complete and how precise the labels are, each single decision counting the same. "
        "1 is perfect.",
    ),
    "f1_weighted": (
        "Weighted F1",
        "How complete and how precise the labels are, frequent labels counting more. 1 is perfect.",
    ),
    "f1_samples": ("F1 a row", "How well the set of labels fits, averaged over rows."),
    "precision_macro": ("Macro precision", "When a label is given, how often it is right."),
    "recall_macro": ("Macro recall", "Of the rows of a label, how many are found."),
    "precision_micro": ("Micro precision", "Of all labels given, the share that is right."),
    "recall_micro": ("Micro recall", "Of all labels to be found, the share that is found."),
    "average_precision": (
        "Average precision",
        "How well scores put right labels above wrong ones. 1 is perfect.",
    ),
    "roc_auc": ("ROC AUC", "How well scores tell right from wrong. 0.5 is chance, 1 perfect."),
    "log_loss": ("Log-loss", "What wrong and unsure scores cost. 0 is perfect, lower is better."),
    "brier": ("Brier score", "How far scores are from the truth. 0 is perfect, lower is better."),
    "ece": (
        "Calibration error (ECE)",
        "How far scores are, on average, from the share that is right. 0 is perfect.",
    ),
    "hamming_loss": (
        "Hamming loss",
        "The share of single decisions that are wrong. Lower is better.",
    ),
    "coverage": ("Coverage", "The share of rows that get a label; the model abstains on the rest."),
    "mcc": ("Matthews correlation", "Agreement beyond chance. 0 is chance, 1 perfect."),
    "kappa": ("Cohen's kappa", "Agreement beyond chance. 0 is chance, 1 perfect."),
    "mse": ("Mean squared error", "Lower is better, 0 perfect."),
    "rmse": ("Root mean squared error", "In the unit of the values. Lower is better, 0 perfect."),
    "mae": ("Mean absolute error", "In the unit of the values. Lower is better, 0 perfect."),
    "r2": ("R²", "The share of the variance that is explained. 1 is perfect."),
    "loss": ("Loss", "What the training makes small. Lower is better."),
}

HEADLINE = (
    ("accuracy", "f1_macro", "ece"),
    ("f1_micro", "f1_macro", "subset_accuracy"),
)
"""The first of these whose first metric there is goes to the top of the page."""

COLUMNS = {
    "text": "Text",
    "label": "Given",
    "labels": "Given",
    "predicted": "Predicted",
    "suggested": "Suggested",
    "score": "Score",
    "given_score": "Score of given",
    "margin": "Margin",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "support": "Rows",
    "threshold": "Threshold",
    "train": "Training",
    "eval": "Evaluation",
    "test": "Test",
}


def metric_name(key: str) -> str:
    """Return what people call a metric: its key where it is not a known one."""
    return METRICS[key][0] if key in METRICS else key


def column_name(key: Any) -> str:
    """Return the heading of a column."""
    return COLUMNS.get(str(key), str(key))


def without_intervals(metrics: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics that are not the end of another one's interval."""
    ends = {f"{key}{end}" for key in metrics for end in ("_low", "_high")}
    return [str(key) for key in metrics if key not in ends]


def headline(metrics: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """Return the metrics to show large: the wanted ones, else well-known ones, else the first."""
    if wanted:
        return [key for key in wanted if key in metrics]
    for keys in HEADLINE:
        if keys[0] in metrics:
            return [key for key in keys if key in metrics]
    return without_intervals(metrics)[:3]
