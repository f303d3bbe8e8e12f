"""Weights in the loss of the fine-tuning: of labels (``class_weights``) and of rows, and soft labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clx.errors import ConfigError
from clx.ml.data.row_targets import WEIGHT, dataset_targets
from clx.ml.evaluation.row_targets import has_targets, own_loss, use_row_targets
from clx.ml.model.head.class_weights import label_weights
from clx.ml.model.head.label_texts import label_names_of
from clx.ml.model.head.layer import label_kind_of
from clx.ml.task.option_checks import unknown_labels
from clx.ml.task.predicting import labels_tokens
from clx.ml.training.token_weights import use_token_weights
from clx.problems import raise_problems

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import Trainer

    from clx.ml.data.windows import TextWindows
    from clx.ml.task.task import Task


def use_class_weights(
    task: Task, trainer: Trainer, dataset: Dataset, windows: TextWindows | None
) -> Tensor | None:
    """Give the Trainer a loss with label weights, if the user set any, and with rows' targets.

    Returns:
        The label weights for the probe, None if the user set none or tokens have the labels. If training
        rows are ``windows`` of texts, these weights are computed from whole texts.

    Raises:
        ConfigError: the task or its labels cannot have weights, or soft labels.
    """
    if has_targets(dataset):
        _weigh_rows(task, trainer, dataset)
    if task.class_weights is None:
        return None
    if own_loss(task):
        raise ConfigError(
            f"class_weights cannot be used with the task {task.name!r}: its trainer_class "
            f"({task.trainer_class.__name__}) computes its own loss"
        )
    if labels_tokens(task):
        use_token_weights(task, trainer, dataset)
        return None
    kind = label_kind_of(trainer.model, dataset)
    if kind not in ("single", "multi"):
        raise ConfigError(
            f"class_weights cannot be used with the task {task.name!r}: its rows do not have one "
            f"label each, or 0 and 1 for each label"
        )
    names = label_names_of(trainer.model)
    raise_problems(
        ConfigError,
        "class_weights cannot be used:",
        unknown_labels("class_weights", task.class_weights, names),
    )
    labels, rows = np.asarray(dataset["labels"][:]), dataset_targets(dataset)
    weights = label_weights(task.class_weights, labels, kind, names, rows)
    use_row_targets(trainer, kind, weights)
    if windows is None:
        return weights
    firsts = windows.firsts()
    return label_weights(task.class_weights, labels[firsts], kind, names, rows.select(firsts))


def _weigh_rows(task: Task, trainer: Trainer, dataset: Dataset) -> None:
    """Give the Trainer the loss of rows with weights or soft labels.

    Raises:
        ConfigError: the task's loss has no place for them.
    """
    what = (
        f"weight_column {task.weight_column!r}" if WEIGHT in dataset.column_names else "soft labels"
    )
    refused = f"{what} cannot be used with the task {task.name!r}: "
    if own_loss(task):
        raise ConfigError(
            f"{refused}its trainer_class ({task.trainer_class.__name__}) computes its own loss"
        )
    kind = label_kind_of(trainer.model, dataset)
    if kind not in ("single", "multi"):
        raise ConfigError(
            f"{refused}its rows do not have one label each, or 0 and 1 for each label"
        )
    use_row_targets(trainer, kind)
