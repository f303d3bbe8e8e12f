"""Label weights in the loss, for data in which some labels are rare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clx.ml.data.row_targets import NO_TARGETS, RowTargets
from clx.ml.model.head.probe import Kind

MAX_BALANCED = 100.0
"""The largest weight of a label, however rare it is."""


def label_weights(
    wanted: str | Mapping[str, float],
    labels: Any,
    kind: Kind,
    names: Sequence[str],
    rows: RowTargets = NO_TARGETS,
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
        rows: the weights and the soft labels of the rows, by which counts are expected ones.
    """
    if isinstance(wanted, Mapping):
        given = {str(name): float(weight) for name, weight in wanted.items()}
        return torch.tensor([given.get(str(name), 1.0) for name in names])
    targets = torch.as_tensor(labels)
    counts = _counts(targets, kind, len(names), rows)
    if kind == "multi":
        weights = (len(targets) - counts) / counts.clamp(min=1)
    else:
        present = int((counts > 0).sum())
        weights = counts.sum() / (present * counts.clamp(min=1))
    weights[counts == 0] = 1.0
    return weights.clamp(min=1 / MAX_BALANCED, max=MAX_BALANCED)


def _counts(targets: Tensor, kind: Kind, labels: int, rows: RowTargets) -> Tensor:
    """Return the expected number of rows per label, shape (labels,)."""
    truth = targets if rows.probabilities is None else torch.from_numpy(rows.probabilities)
    each = None if rows.weights is None else torch.from_numpy(rows.weights).float()
    if truth.ndim == 1:
        own = truth >= 0
        each = None if each is None else each[own]
        return torch.bincount(truth[own].long(), each, minlength=labels).float()
    return truth.sum(dim=0).float() if each is None else each @ truth.float()


@dataclass
class BatchTargets:
    """The weights and the soft labels of the batch whose loss is computed.

    Attributes:
        weights: shape (rows,), or None.
        probabilities: shape (rows, labels), or None.
    """

    weights: Tensor | None = None
    probabilities: Tensor | None = None


def weighted_loss(
    weights: Tensor | None,
    kind: Kind,
    label_smoothing: float = 0.0,
    batch: Callable[[], BatchTargets] = BatchTargets,
) -> Callable[..., Tensor]:
    """Return a loss for the Trainer's hook ``compute_loss_func``.

    The loss is the mean over all rows that are accumulated for one step; the Trainer passes their
    number as ``num_items_in_batch``. Weights are not divided by their sum in the batch, which would
    make a row's weight depend on the other rows of its batch. The same holds for the weights of rows,
    whose mean over all training rows is 1.

    Args:
        weights: the weight of each label, shape (labels,), or None.
        kind: ``single`` or ``multi``.
        label_smoothing: for ``single``, the share of each label that all labels get.
        batch: returns the weights and the soft labels of the batch.
    """

    def loss(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
        of_labels = None if weights is None else weights.to(logits)
        rows = batch()
        reduction = "sum" if rows.weights is None else "none"
        truth = labels if rows.probabilities is None else rows.probabilities.to(logits)
        if kind == "multi":
            total = functional.binary_cross_entropy_with_logits(
                logits, truth.to(logits), pos_weight=of_labels, reduction=reduction
            )
            count: Any = labels.numel()
        else:
            total = functional.cross_entropy(
                logits,
                truth.long() if truth.ndim == 1 else truth,
                weight=of_labels,
                reduction=reduction,
                label_smoothing=label_smoothing,
            )
            count = (labels != -100).sum()
        if rows.weights is not None:
            total = (total.reshape(len(logits), -1).sum(dim=1) * rows.weights.to(logits)).sum()
        mean: Tensor = total / (count if num_items_in_batch is None else num_items_in_batch)
        return mean

    return loss
