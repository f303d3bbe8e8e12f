"""Newton's method for small logistic regressions.

A step costs more than one of L-BFGS, but few are needed: for a few hundred unknowns it is several times
faster. The method is the damped one of Boyd and Vandenberghe, "Convex Optimization", section 9.5, with a
backtracking line search.
"""

from __future__ import annotations

import torch
from torch import Tensor

from clx.ml.model.head.logistic import LogisticProblem

MAX_UNKNOWNS = 300
"""The most unknowns that are solved for at once. With more, a step takes longer than those of L-BFGS."""

MAX_STEPS = 50
MAX_HALVINGS = 30
SLOPE = 1e-4
"""A step must reach this share of the decrease that the gradient predicts."""

JITTER = 1e-10
"""Added to the diagonal: one bias more on all labels changes no probability."""


def is_small(axes: int, outputs: int, several: bool) -> bool:
    """Return whether Newton's method is the faster one for a problem of this size.

    Args:
        axes: the number of inputs.
        outputs: the number of labels.
        several: whether a row may have several labels; then each label is a separate problem.
    """
    unknowns = (axes + 1) * outputs
    return (axes + 1 if several else unknowns) <= MAX_UNKNOWNS and unknowns <= 4 * MAX_UNKNOWNS


def newton(problem: LogisticProblem, start: Tensor, tolerance: float) -> Tensor:
    """Return the minimum of a problem.

    Args:
        problem: the problem.
        start: weights, and below them biases, shape (axes + 1, outputs).
        tolerance: the largest entry of the gradient at which the search ends.
    """
    inputs = problem.inputs
    design = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], dim=1)
    penalty = torch.cat([problem.penalty[:, 0], start.new_zeros(1)])
    factors, newton_step = problem.row_weights(), _by_output if problem.several else _of_all
    total = problem.total
    solution, (value, gradient) = start, problem(start)
    for _ in range(MAX_STEPS):
        if float(gradient.abs().max()) <= tolerance:
            break
        step = newton_step(design, design @ solution, factors, penalty, gradient, total)
        promised, size = float((gradient * step).sum()), 1.0
        for _ in range(MAX_HALVINGS):
            candidate = solution - size * step
            new_value, new_gradient = problem(candidate)
            if new_value <= value - SLOPE * size * promised:
                break
            size /= 2
        else:
            # So near the minimum, rounding hides any improvement.
            break
        solution, value, gradient = candidate, new_value, new_gradient
    return solution


def _by_output(
    design: Tensor,
    scores: Tensor,
    factors: Tensor | None,
    penalty: Tensor,
    gradient: Tensor,
    total: float,
) -> Tensor:
    """Return the Newton step of independent outputs, shape (axes + 1, outputs)."""
    share = scores.sigmoid()
    curvature = share * (1 - share) / total
    if factors is not None:
        curvature = curvature * factors
    matrices = torch.einsum("ni,nk,nj->kij", design, curvature, design)
    matrices = matrices + torch.diag(penalty + JITTER)
    step: Tensor = torch.linalg.solve(matrices, gradient.T)
    return step.T


def _of_all(
    design: Tensor,
    scores: Tensor,
    factors: Tensor | None,
    penalty: Tensor,
    gradient: Tensor,
    total: float,
) -> Tensor:
    """Return the Newton step of a softmax, whose outputs depend on each other."""
    rows, axes = design.shape
    share = scores.softmax(dim=1)
    weight = torch.full_like(share[:, :1], 1 / total) if factors is None else factors / total
    outputs = share.shape[1]
    # The unknowns are ordered by output.
    spread = (share[:, :, None] * design[:, None, :]).reshape(rows, outputs * axes)
    matrix = -(spread * weight).T @ spread
    blocks = torch.einsum("ni,nk,nj->kij", design, share * weight, design)
    blocks = blocks + torch.diag(penalty)
    for number, block in enumerate(blocks):
        place = slice(number * axes, (number + 1) * axes)
        matrix[place, place] += block
    matrix.diagonal().add_(JITTER)
    step: Tensor = torch.linalg.solve(matrix, gradient.T.reshape(-1))
    return step.reshape(outputs, axes).T
