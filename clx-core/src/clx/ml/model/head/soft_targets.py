"""The targets of a probe for rows with weights or with a probability for each label."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


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


def soft_targets(
    truth: Tensor, row_weights: Tensor, label_weights: Tensor | None, several: bool
) -> SoftTargets:
    """Return the targets of rows with weights or probabilities.

    Args:
        truth: the probability of each label, shape (rows, outputs).
        row_weights: shape (rows,).
        label_weights: a weight for each label, shape (outputs,), or None.
        several: whether a row may have several labels.
    """
    each = row_weights[:, None]
    factor = torch.ones_like(truth[0]) if label_weights is None else label_weights
    if several:
        return SoftTargets(each * truth * factor, each * (1 + truth * (factor - 1)), several=True)
    given = each * truth * factor
    # Label weights are relative to each other: they must not change the total weight of the rows.
    given = given * (each.sum() / given.sum())
    return SoftTargets(given, given.sum(dim=1, keepdim=True), several=False)
