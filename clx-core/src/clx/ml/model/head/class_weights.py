"""Label weights in the loss, for data in which some labels are rare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clx.ml.model.head.probe import Kind

MAX_BALANCED = 100.0
"""The largest weight of a label, however rare it is."""


def label_weights(
    wanted: str | Mapping[str, float], labels: Any, kind: Kind, names: Sequence[str]
) -> Tensor:
    """Return a weight for each label, shape (labels,).

    With one label per row, ``balanced`` gives all labels the same sum of weights, as in scikit-learn:
    ``rows / (labels · count)``. With several labels per row, it gives the rows that have a label the
    weight ``negatives / positives``.

    Args:
        wanted: ``balanced``, or weights by name; a label without an entry has the weight 1.
        labels: label ids, shape (rows,), or 0 and 1, shape (rows, labels).
        kind: ``single`` or ``multi``.
        names: label names, by id.
    """
    if isinstance(wanted, Mapping):
        given = {str(name): float(weight) for name, weight in wanted.items()}
        return torch.tensor([given.get(str(name), 1.0) for name in names])
    targets = torch.as_tensor(labels)
    if kind == "multi":
        counts = targets.sum(dim=0).float()
        weights = (len(targets) - counts) / counts.clamp(min=1)
    else:
        counts = torch.bincount(targets[targets >= 0].long(), minlength=len(names)).float()
        present = int((counts > 0).sum())
        weights = counts.sum() / (present * counts.clamp(min=1))
    weights[counts == 0] = 1.0
    return weights.clamp(min=1 / MAX_BALANCED, max=MAX_BALANCED)


def weighted_loss(
    weights: Tensor, kind: Kind, label_smoothing: float = 0.0
) -> Callable[..., Tensor]:
    """Return a loss for the Trainer's hook ``compute_loss_func``.

    The loss is the mean over all rows that are accumulated for one step; the Trainer passes their
    number as ``num_items_in_batch``. Weights are not divided by their sum in the batch, which would
    make a row's weight depend on the other rows of its batch.
    """

    def loss(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
        of_labels = weights.to(logits)
        if kind == "multi":
            total = functional.binary_cross_entropy_with_logits(
                logits, labels.to(logits), pos_weight=of_labels, reduction="sum"
            )
            count: Any = labels.numel()
        else:
            total = functional.cross_entropy(
                logits,
                labels.long(),
                weight=of_labels,
                reduction="sum",
                label_smoothing=label_smoothing,
            )
            count = (labels != -100).sum()
        mean: Tensor = total / (count if num_items_in_batch is None else num_items_in_batch)
        return mean

    return loss
