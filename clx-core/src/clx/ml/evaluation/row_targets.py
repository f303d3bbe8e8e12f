"""Predictions together with the weights and soft labels of their rows, and the loss of such rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import EvalPrediction, Trainer

from clx.ml.data.row_targets import TARGET_COLUMNS, RowTargets, row_targets
from clx.ml.model.head.calibration import log_loss
from clx.ml.model.head.class_weights import BatchTargets, weighted_loss
from clx.ml.model.head.layer import label_kind_of

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor

    from clx.ml.model.head.probe import Kind
    from clx.ml.task.task import Task


class TargetedPrediction(EvalPrediction):  # type: ignore[misc]
    """Predictions and label ids, with ``row_targets``; see :func:`clx.ml.data.row_targets`."""

    def __init__(self, predictions: Any, label_ids: Any, targets: RowTargets) -> None:
        super().__init__(predictions=predictions, label_ids=label_ids)
        self.row_targets = targets


def with_targets(prediction: EvalPrediction, targets: RowTargets) -> EvalPrediction:
    """Return predictions with the targets of their rows, unchanged if there are none."""
    if not targets:
        return prediction
    return TargetedPrediction(prediction.predictions, prediction.label_ids, targets)


def with_scores(prediction: EvalPrediction, scores: Any) -> EvalPrediction:
    """Return predictions with other scores of the same rows."""
    changed = EvalPrediction(predictions=scores, label_ids=prediction.label_ids)
    return with_targets(changed, row_targets(prediction))


def log_loss_of(prediction: EvalPrediction, kind: Kind) -> float:
    """Return the mean log loss of predictions, for the soft labels if there are any."""
    rows = row_targets(prediction)
    truth = prediction.label_ids if rows.probabilities is None else rows.probabilities
    weights = None if rows.weights is None else torch.from_numpy(rows.weights)
    scores = torch.from_numpy(prediction.predictions)
    return log_loss(scores, torch.from_numpy(truth), kind, weights)


def has_targets(dataset: Dataset) -> bool:
    """Return whether tokenized rows have weights or soft labels."""
    return any(name in dataset.column_names for name in TARGET_COLUMNS)


def own_loss(task: Task) -> bool:
    """Return whether the task's Trainer computes a loss of its own."""
    return task.trainer_class.compute_loss is not Trainer.compute_loss


def use_row_targets(trainer: Trainer, kind: Kind, label_weights: Tensor | None = None) -> None:
    """Give a Trainer the loss of rows with weights and soft labels, and with label weights."""
    # The Trainer changes this dict with each batch. A reference to the Trainer would be a cycle.
    batch = trainer.batch_targets
    trainer.compute_loss_func = weighted_loss(
        label_weights,
        kind,
        trainer.args.label_smoothing_factor,
        lambda: BatchTargets(**batch),
    )


def evaluate_with_targets(task: Task, trainer: Trainer, dataset: Dataset) -> None:
    """Let a Trainer that only evaluates compute the loss of rows with targets, if it can."""
    if has_targets(dataset) and not own_loss(task):
        kind = label_kind_of(trainer.model, dataset)
        if kind in ("single", "multi"):
            use_row_targets(trainer, kind)
