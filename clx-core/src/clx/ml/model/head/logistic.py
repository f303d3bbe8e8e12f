"""The objective of a logistic regression with an L2 penalty, and its minimum by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clx.ml.model.head.parts import Targets, loss_and_gradient
from clx.ml.model.head.soft_targets import SoftTargets


@dataclass(frozen=True)
class LogisticProblem:
    """The objective of a logistic regression on the axes of a :class:`~clx.ml.model.head.probe.Basis`.

    Attributes:
        inputs: shape (rows, axes).
        targets: label ids, shape (rows,), 0 and 1, shape (rows, outputs), or targets with weights.
        weights: for label ids, the weight of each row, shape (rows, 1); otherwise the weight of the
            rows with a label, shape (outputs,). None means equal weights.
        penalty: the second derivative of the penalty, shape (axes, 1).
        total: the sum of the row weights, by which the loss is divided.
    """

    inputs: Tensor
    targets: Targets
    weights: Tensor | None
    penalty: Tensor
    total: float

    def __call__(self, solution: Tensor) -> tuple[float, Tensor]:
        """Return the mean loss and penalty of weights with biases below them, and the gradient."""
        rows, weight = self.total, solution[:-1]
        loss, gradient = loss_and_gradient(self.inputs, self.targets, self.weights, solution)
        gradient /= rows
        gradient[:-1] += self.penalty * weight
        return loss / rows + 0.5 * float((self.penalty * weight.pow(2)).sum()), gradient

    @property
    def several(self) -> bool:
        """Whether a row may have several labels; then each label is a separate problem."""
        if isinstance(self.targets, SoftTargets):
            return self.targets.several
        return self.targets.ndim == 2

    def row_weights(self) -> Tensor | None:
        """Return the weight of each loss, shape (rows, 1) or (rows, outputs), or None."""
        if isinstance(self.targets, SoftTargets):
            return self.targets.total.to(self.inputs)
        if self.weights is None or not self.several:
            return self.weights
        return 1 + self.targets.to(self.weights.dtype) * (self.weights - 1)


def lbfgs(problem: LogisticProblem, start: Tensor, tolerance: float, max_steps: int) -> Tensor:
    """Return the minimum of a problem by L-BFGS.

    Args:
        problem: the problem.
        start: weights, and below them biases, shape (axes + 1, outputs).
        tolerance: the largest entry of the gradient at which the search ends.
        max_steps: the most steps.
    """
    solution = start.requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [solution],
        max_iter=max_steps,
        history_size=20,
        tolerance_grad=tolerance,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    @torch.no_grad()
    def closure() -> float:
        value, solution.grad = problem(solution)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return solution.detach()
