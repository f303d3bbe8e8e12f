"""The loss of a probe with many labels, in parts of the rows: all scores at once need much memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from clx.ml.model.head.soft_targets import SoftTargets

Targets = Tensor | SoftTargets

MANY_LABELS = 200
"""With more labels than this, losses are computed in parts, and choices are made on some labels."""

MAX_SCORES = 2**22
"""The most scores that are computed at once: 16 MB in float32."""


def parts(rows: int, outputs: int) -> Iterator[slice]:
    """Yield consecutive parts of the rows with at most ``MAX_SCORES`` scores each."""
    size = max(1, MAX_SCORES // outputs)
    for start in range(0, rows, size):
        yield slice(start, start + size)


def loss_and_gradient(
    inputs: Tensor, targets: Targets, weights: Tensor | None, solution: Tensor
) -> tuple[float, Tensor]:
    """Return the summed loss of all rows and its gradient, in the shape of the solution.

    Args:
        inputs: shape (rows, inputs).
        targets: label ids, shape (rows,), 0 and 1, shape (rows, outputs), or targets with weights.
        weights: as for :func:`loss_and_slope`.
        solution: the weights, with the bias as the last row; shape (inputs + 1, outputs).
    """
    loss, gradient = 0.0, torch.zeros_like(solution)
    per_row = weights is not None and weights.ndim == 2
    for part in parts(len(inputs), solution.shape[1]):
        scores = torch.addmm(solution[-1], inputs[part], solution[:-1])
        part_weights = weights[part] if weights is not None and per_row else weights
        part_loss, slope = loss_and_slope(scores, targets[part], part_weights)
        loss += part_loss
        gradient[:-1].addmm_(inputs[part].T, slope)
        gradient[-1] += slope.sum(dim=0)
    return loss, gradient


def loss_and_slope(
    scores: Tensor, targets: Targets, weights: Tensor | None
) -> tuple[float, Tensor]:
    """Return the summed loss of some rows and its derivative with respect to their scores.

    Args:
        scores: shape (rows, outputs).
        targets: label ids, shape (rows,), 0 and 1, shape (rows, outputs), or targets with weights.
        weights: for label ids, the weight of each row, shape (rows, 1); otherwise the weight of the
            rows with a label, shape (outputs,). None means equal weights.
    """
    if isinstance(targets, SoftTargets):
        return targets.loss_and_slope(scores)
    if targets.ndim == 2:
        truth = targets.to(scores.dtype)
        slope = scores.sigmoid() - truth
        each = torch.nn.functional.softplus(scores) - truth * scores
        if weights is not None:
            factor = 1 + truth * (weights - 1)
            each, slope = each * factor, slope * factor
        return float(each.sum()), slope
    logs = scores.log_softmax(dim=1)
    own = targets.long()[:, None]
    each = -logs.gather(1, own)
    slope = logs.exp_()
    slope.scatter_add_(1, own, torch.full_like(each, -1.0))
    if weights is not None:
        each, slope = each * weights, slope.mul_(weights)
    return float(each.sum()), slope
