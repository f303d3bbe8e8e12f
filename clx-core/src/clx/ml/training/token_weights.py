"""``class_weights`` of a task whose tokens have labels, such as ``B-place`` and ``I-place``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from clx.errors import ConfigError
from clx.ml.model.head.class_weights import MAX_BALANCED, weighted_loss
from clx.ml.model.head.label_texts import label_names_of
from clx.ml.spans import IGNORED
from clx.ml.task.option_checks import unknown_labels
from clx.problems import raise_problems

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import Trainer

    from clx.ml.task.task import Task

OUTSIDE = "O"


def use_token_weights(task: Task, trainer: Trainer, dataset: Dataset) -> None:
    """Give the Trainer a loss in which the tokens of each label have its weight.

    Raises:
        ConfigError: the weights name a label that the model does not have.
    """
    tags = [str(name) for name in label_names_of(trainer.model)]
    labels = [tag[2:] if tag[:2] in ("B-", "I-") else tag for tag in tags]
    # The names that the check of the options accepts.
    known = getattr(task, "label_names", None) or [*dict.fromkeys(labels + tags)]
    raise_problems(
        ConfigError,
        "class_weights cannot be used:",
        unknown_labels("class_weights", task.class_weights, known),
    )
    if isinstance(task.class_weights, dict):
        given = {str(name): float(weight) for name, weight in task.class_weights.items()}
        of_tag = [
            given.get(tag, given.get(label, 1.0)) for tag, label in zip(tags, labels, strict=True)
        ]
    else:
        of_tag = _balanced(labels, _counts(dataset, len(tags)))
    of_tokens = weighted_loss(torch.tensor(of_tag), "single", trainer.args.label_smoothing_factor)

    def loss(outputs: Any, given: Tensor, num_items_in_batch: Any = None) -> Tensor:
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
        return of_tokens({"logits": logits.flatten(0, 1)}, given.flatten(), num_items_in_batch)

    trainer.compute_loss_func = loss


def _counts(dataset: Dataset, tags: int) -> Tensor:
    """Return the number of tokens of each tag, shape (tags,)."""
    counts = torch.zeros(tags, dtype=torch.long)
    for row in dataset["labels"][:]:
        ids = torch.as_tensor(row)
        counts += torch.bincount(ids[ids != IGNORED], minlength=tags)
    return counts


def _balanced(labels: Sequence[str], counts: Tensor) -> list[float]:
    """Return weights by which the tokens of each label have the same sum; those of no label keep 1."""
    of_label = dict.fromkeys(labels, 0)
    for label, count in zip(labels, counts.tolist(), strict=True):
        of_label[label] += count
    of_label.pop(OUTSIDE, None)
    present = [count for count in of_label.values() if count]
    mean = sum(present) / max(1, len(present))
    weights = {
        label: min(max(mean / count, 1 / MAX_BALANCED), MAX_BALANCED) if count else 1.0
        for label, count in of_label.items()
    }
    return [weights.get(label, 1.0) for label in labels]
