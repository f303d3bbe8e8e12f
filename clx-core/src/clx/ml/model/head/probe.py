"""A linear probe: the linear model on frozen features that a head starts from.

It is multinomial logistic regression for one label per row, one-vs-rest logistic regression for
several labels per row, and ridge regression for numbers. All have an L2 penalty on the weights and none
on the bias. The objective is the one of scikit-learn, ``½‖W‖² + C · Σ loss``. Features are centered and
scaled to a mean squared norm of 1, so that a value of ``C`` means the same for every model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from clx.ml.data.row_targets import RowTargets
from clx.ml.model.head.logistic import LogisticProblem, lbfgs
from clx.ml.model.head.newton import is_small, newton
from clx.ml.model.head.parts import MANY_LABELS, Targets, loss_and_slope, parts
from clx.ml.model.head.soft_targets import soft_targets

Kind = Literal["single", "multi", "regression"]
"""One label per row, several labels per row, or numbers."""

MAX_STEPS = 200
MAX_STEPS_FOR_MANY = 40
"""The most steps for more than ``MANY_LABELS`` labels. More steps take minutes and change little."""

TOLERANCE = 1e-5
"""The gradient of the objective, on the axes of :class:`Basis`, at which the search ends."""


@dataclass(frozen=True)
class Examples:
    """Rows to fit a probe to, or to measure it on.

    Attributes:
        features: shape (rows, features).
        targets: label ids, shape (rows,); 0 and 1, shape (rows, outputs); or numbers of either shape.
        kind: ``single``, ``multi`` or ``regression``.
        outputs: the number of outputs of the probe.
        weights: label weights, shape (outputs,), or None. A weight applies to the rows of its label
            (``single``), or to the rows that have its label (``multi``).
        row_weights: how many rows each row counts as, shape (rows,), or None.
        soft: the probability of each label, shape (rows, outputs), or None if all labels are certain.
            The targets are then the likeliest labels.
    """

    features: Tensor
    targets: Tensor
    kind: Kind
    outputs: int
    weights: Tensor | None = None
    row_weights: Tensor | None = None
    soft: Tensor | None = None

    @property
    def count(self) -> float:
        """The number of rows, each counted with its weight."""
        return len(self) if self.row_weights is None else float(self.row_weights.sum())

    @property
    def row_targets(self) -> RowTargets:
        """The weights and the soft labels of the rows."""
        given = (self.row_weights, self.soft)
        return RowTargets(*(None if v is None else v.numpy() for v in given))

    def truth(self, dtype: torch.dtype) -> Tensor:
        """Return the probability of each label in each row, shape (rows, outputs)."""
        if self.soft is not None:
            return self.soft.to(dtype)
        if self.kind == "multi":
            return self.targets.to(dtype)
        return torch.nn.functional.one_hot(self.targets.long(), self.outputs).to(dtype)

    def counted(self, dtype: torch.dtype) -> Tensor:
        """Return how many rows each row counts as, shape (rows,)."""
        ones = torch.ones(len(self), dtype=dtype)
        return ones if self.row_weights is None else self.row_weights.to(dtype)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.features)

    def select(self, rows: Tensor) -> Examples:
        """Return the rows that an index or a mask selects."""
        weights = None if self.row_weights is None else self.row_weights[rows]
        soft = None if self.soft is None else self.soft[rows]
        chosen = replace(self, features=self.features[rows], targets=self.targets[rows])
        return replace(chosen, row_weights=weights, soft=soft)

    def joined(self, extra_examples: Examples | None) -> Examples:
        """Return these rows and the extra ones after them."""
        if extra_examples is None:
            return self
        extra_targets = extra_examples.targets.to(self.targets)
        weights, soft = self.row_weights, self.soft
        if weights is not None:
            weights = torch.cat([weights, extra_examples.counted(weights.dtype)])
        if soft is not None:
            soft = torch.cat([soft, extra_examples.truth(soft.dtype)])
        return replace(
            self,
            row_weights=weights,
            soft=soft,
            features=torch.cat([self.features, extra_examples.features]),
            targets=torch.cat([self.targets, extra_targets]),
        )


@dataclass(frozen=True)
class LinearHead:
    """A linear layer: ``features @ weight.T + bias``.

    Attributes:
        weight: shape (outputs, features).
        bias: shape (outputs,).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Return the scores of features, shape (rows, outputs)."""
        return features.to(self.weight.dtype) @ self.weight.T + self.bias


class Basis:
    """Features on their principal axes, on which the problem is well conditioned for any ``C``.

    On raw features, L-BFGS needs hundreds of steps for a logistic regression. The Hessian of the
    objective is about ``1 + C · s · XᵀX``, where ``s`` is the mean of ``p (1 - p)``. On the principal
    axes of ``X`` its root is a diagonal matrix, so each axis is divided by its entry.
    """

    def __init__(
        self, features: Tensor, dtype: torch.dtype, row_weights: Tensor | None = None
    ) -> None:
        features = features.to(dtype)
        each = None if row_weights is None else row_weights.to(dtype)[:, None]
        self.mean = _mean(features, each)
        centered = features - self.mean
        self.scale = float(_mean(centered.pow(2).sum(dim=1, keepdim=True), each).sqrt()) or 1.0
        centered = centered / self.scale
        weighed = centered if each is None else centered * each.sqrt()
        rows, columns = centered.shape
        if rows < columns:
            values, vectors = torch.linalg.eigh(weighed @ weighed.T)
            kept = values > values.max().clamp(min=1e-30) * 1e-10
            roots = values[kept].sqrt()
            self.axes = weighed.T @ (vectors[:, kept] / roots)
            self.values = values[kept]
        else:
            values, self.axes = torch.linalg.eigh(weighed.T @ weighed)
            self.values = values.clamp(min=0)
        self.rows = centered @ self.axes

    def head(self, weight: Tensor, bias: Tensor) -> LinearHead:
        """Return the layer for raw features.

        Args:
            weight: a solution on the axes, shape (axes, outputs).
            bias: shape (outputs,).
        """
        raw = (self.axes @ weight).T / self.scale
        return LinearHead(raw, bias - raw @ self.mean)


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean over rows; weights have the shape (rows, 1)."""
    if weights is None:
        return values.mean(dim=0)
    return (values * weights).sum(dim=0) / weights.sum()


def basis_of(examples: Examples, dtype: torch.dtype) -> Basis:
    """Return the features of the examples on their principal axes."""
    return Basis(examples.features, dtype, examples.row_weights)


def fit_head(examples: Examples, C: float) -> LinearHead:
    """Return the linear layer that fits the examples.

    Args:
        examples: the rows to fit.
        C: the inverse of the regularization strength, as in scikit-learn.
    """
    small = examples.features.numel() * examples.outputs < 5e7
    dtype = torch.float64 if small else torch.float32
    return solve(basis_of(examples, dtype), examples, C)


def solve(basis: Basis, examples: Examples, C: float, max_steps: int = MAX_STEPS) -> LinearHead:
    """Return the linear layer that fits the examples, whose features are given as ``basis``."""
    if examples.kind == "regression":
        return _ridge(basis, examples, C)
    outputs, axes, several = examples.outputs, basis.rows.shape[1], examples.kind == "multi"
    small = is_small(axes, outputs, several)
    rows = basis.rows.double() if small else basis.rows
    curvature = 0.25 if several else (outputs - 1) / outputs**2
    shrink = (1 + C * curvature * basis.values.to(rows.dtype)).rsqrt()
    # The objective is divided by C · rows because the tolerances assume numbers near 1.
    unit = 1 / (C * examples.count)
    tolerance = TOLERANCE * unit**0.5
    penalty = unit * shrink.pow(2)[:, None]
    given, weights = loss_targets(examples, rows.dtype)
    problem = LogisticProblem(rows * shrink, given, weights, penalty, examples.count)
    start = torch.zeros(axes + 1, outputs, dtype=rows.dtype)
    start[-1] = _prior(examples, rows.dtype)
    if small:
        found = newton(problem, start, tolerance)
    else:
        most = MAX_STEPS_FOR_MANY if outputs > MANY_LABELS else MAX_STEPS
        found = lbfgs(problem, start, tolerance, min(max_steps, most))
    return basis.head((found[:-1] * shrink[:, None]).to(basis.rows), found[-1].to(basis.rows))


def loss_targets(
    examples: Examples, dtype: torch.dtype, label_weights: bool = True
) -> tuple[Targets, Tensor | None]:
    """Return the targets and the weights of ``loss_and_slope``.

    Args:
        examples: the rows.
        dtype: the type of weights.
        label_weights: whether to apply the label weights.
    """
    if examples.row_weights is None and examples.soft is None:
        weights = label_loss_weights(examples, dtype) if label_weights else None
        return examples.targets, weights
    weights = examples.weights if label_weights else None
    weights = None if weights is None else weights.to(dtype)
    truth, counted = examples.truth(dtype), examples.counted(dtype)
    return soft_targets(truth, counted, weights, examples.kind == "multi"), None


def label_loss_weights(examples: Examples, dtype: torch.dtype) -> Tensor | None:
    """Return a weight for each row, shape (rows, 1), or for the rows with a label, shape (outputs,)."""
    if examples.weights is None:
        return None
    weights = examples.weights.to(dtype)
    if examples.kind == "multi":
        return weights
    by_row = weights[examples.targets.long()]
    return (by_row / by_row.mean())[:, None]


def _prior(examples: Examples, dtype: torch.dtype) -> Tensor:
    """Return the bias that gives each label its share of the rows; the search begins there."""
    targets, several = examples.targets, examples.kind == "multi"
    if examples.row_weights is not None or examples.soft is not None:
        rows = examples.counted(dtype) @ examples.truth(dtype)
    else:
        rows = (
            targets.sum(dim=0)
            if several
            else torch.bincount(targets.long(), None, examples.outputs)
        )
    share = (rows.to(dtype) + 0.5) / (examples.count + 1)
    return share.logit() if several else share.log()


def _ridge(basis: Basis, examples: Examples, C: float) -> LinearHead:
    """Return the closed-form solution for ``½‖W‖² + C/2 · Σ (y - Wx)²``."""
    numbers = examples.targets.to(basis.rows.dtype).reshape(len(examples), examples.outputs)
    bias = numbers.mean(dim=0)
    moment = basis.rows.T @ (numbers - bias)
    return basis.head(moment / (basis.values + 1 / C)[:, None], bias)


def mean_loss(head: LinearHead, examples: Examples) -> float:
    """Return the mean log loss per row (summed over labels for ``multi``), or the mean squared error.

    Label weights are ignored; rows count with their weight.
    """
    if examples.kind == "regression":
        return mean_loss_of_scores(head(examples.features), examples)
    features = examples.features
    targets, _ = loss_targets(examples, torch.float64, label_weights=False)
    losses = [
        loss_and_slope(head(features[part]), targets[part], None)[0]
        for part in parts(len(examples), examples.outputs)
    ]
    return sum(losses) / examples.count


def mean_loss_of_scores(scores: Tensor, examples: Examples) -> float:
    """Return the mean loss of scores, shape (rows, outputs); see :func:`mean_loss`."""
    if examples.kind == "regression":
        return float((scores - examples.targets.to(scores).reshape(scores.shape)).pow(2).mean())
    targets, _ = loss_targets(examples, torch.float64, label_weights=False)
    return loss_and_slope(scores, targets, None)[0] / examples.count


def steepness(head: LinearHead, features: Tensor) -> float:
    """Return how much the steepest score changes when features change by their own typical length."""
    length = float(features.float().pow(2).sum(dim=1).mean().sqrt())
    return length * float(head.weight.norm(dim=1).max())
