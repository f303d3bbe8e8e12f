"""What a probe is fitted to where rows have weights, or a probability for each label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clx.ml.data.row_targets import dataset_targets

if TYPE_CHECKING:
    from clx.ml.data.windows import TextWindows
    from clx.ml.model.head.probe import Examples

MAX_MEAN = 2.0
"""The largest mean weight of a probe's rows, relative to the row of median weight."""


@dataclass(frozen=True)
class SoftTargets:
    """Targets with weights: the loss of a row is ``total · log-partition - Σ given · score``.

    Attributes:
        given: the weight of each label of each row, shape (rows, outputs).
        total: the weight of each row, shape (rows, 1), or of each decision, shape (rows, outputs).
        several: whether a row may have several labels.
    """

    given: Tensor
    total: Tensor
    several: bool

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.given)

    def __getitem__(self, rows: Any) -> SoftTargets:
        """Return the targets of some rows."""
        return replace(self, given=self.given[rows], total=self.total[rows])

    def loss_and_slope(self, scores: Tensor) -> tuple[float, Tensor]:
        """Return the summed loss of the rows and its derivative with respect to their scores."""
        given, total = self.given.to(scores), self.total.to(scores)
        if self.several:
            partition = torch.nn.functional.softplus(scores)
            share = scores.sigmoid()
        else:
            partition = scores.logsumexp(dim=1, keepdim=True)
            share = scores.softmax(dim=1)
        loss = (total * partition).sum() - (given * scores).sum()
        return float(loss), total * share - given


def truth_of(examples: Examples, dtype: torch.dtype) -> Tensor:
    """Return the probability of each label in each row, shape (rows, outputs)."""
    if examples.soft is not None:
        return examples.soft.to(dtype)
    if examples.kind == "multi":
        return examples.targets.to(dtype)
    one_hot: Tensor = torch.nn.functional.one_hot(examples.targets.long(), examples.outputs)
    return one_hot.to(dtype)


def soft_targets(examples: Examples, label_weights: Tensor | None) -> SoftTargets:
    """Return the targets of rows with weights or probabilities.

    Args:
        examples: the rows.
        label_weights: a weight for each label, shape (outputs,), or None.
    """
    dtype = torch.float64 if label_weights is None else label_weights.dtype
    truth = truth_of(examples, dtype)
    each = row_weights_of(examples, dtype)[:, None]
    factor = torch.ones(examples.outputs, dtype=dtype) if label_weights is None else label_weights
    if examples.kind == "multi":
        return SoftTargets(each * truth * factor, each * (1 + truth * (factor - 1)), several=True)
    given = each * truth * factor
    # Label weights say what counts more than another label, and not how much all rows count.
    given = given * (each.sum() / given.sum())
    return SoftTargets(given, given.sum(dim=1, keepdim=True), several=False)


def row_weights_of(examples: Examples, dtype: torch.dtype) -> Tensor:
    """Return the weight of each row, shape (rows,)."""
    if examples.row_weights is None:
        return torch.ones(len(examples), dtype=dtype)
    return examples.row_weights.to(dtype)


def with_row_targets(
    examples: Examples, dataset: Any, rows: Tensor | None = None, windows: TextWindows | None = None
) -> Examples:
    """Return examples with the weights and probabilities of the dataset that they come from.

    A probe's loss is a sum, in which a row of weight 2 counts as two rows. So the row of median weight
    counts as one row.

    Args:
        examples: the rows.
        dataset: the tokenized rows with their targets.
        rows: the positions of the rows in the dataset, None for all.
        windows: the windows of texts among these rows, if each example is a text.
    """
    found = dataset_targets(dataset)
    if not found:
        return examples
    positions = np.arange(len(dataset)) if rows is None else rows.numpy()
    if windows is not None:
        positions = positions[windows.firsts()]
    found = found.select(positions)
    weights, soft = found.weights, found.probabilities
    if weights is not None:
        weights = weights / max(np.median(weights), weights.mean() / MAX_MEAN)
    return replace(
        examples,
        row_weights=None if weights is None else torch.from_numpy(weights),
        soft=None if soft is None else torch.from_numpy(soft),
    )
