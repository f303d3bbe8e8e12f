"""``class_weights``: label weights in the loss of the fine-tuning and of the probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from transformers import Trainer

from clx.errors import ConfigError
from clx.ml.model.head.class_weights import label_weights, weighted_loss
from clx.ml.model.head.label_texts import label_names_of
from clx.ml.model.head.layer import label_kind_of
from clx.ml.task.option_checks import unknown_labels
from clx.problems import raise_problems

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor

    from clx.ml.data.windows import TextWindows
    from clx.ml.task.task import Task


def use_class_weights(
    task: Task, trainer: Trainer, dataset: Dataset, windows: TextWindows | None
) -> Tensor | None:
    """Give the Trainer a loss with label weights, if the user set any.

    Returns:
        The label weights for the probe, None if the user set none. If training rows are ``windows``
        of texts, these weights are computed from whole texts.

    Raises:
        ConfigError: the task or its labels cannot have weights.
    """
    if task.class_weights is None:
        return None
    if type(trainer).compute_loss is not Trainer.compute_loss:
        raise ConfigError(
            f"class_weights cannot be used with the task {task.name!r}: its trainer_class "
            f"({task.trainer_class.__name__}) computes its own loss"
        )
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
    labels = np.asarray(dataset["labels"][:])
    weights = label_weights(task.class_weights, labels, kind, names)
    trainer.compute_loss_func = weighted_loss(weights, kind, trainer.args.label_smoothing_factor)
    if windows is None:
        return weights
    return label_weights(task.class_weights, labels[windows.firsts()], kind, names)
