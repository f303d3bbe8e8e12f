"""A linear model on frozen features, solved exactly: what a head starts from.

Multinomial logistic regression for one label a row, one-vs-rest for several, ridge for numbers, all
with an L2 penalty on the weights and none on the bias. The objective is scikit-learn's,
``½‖W‖² + C · Σ loss``, on features that are centred and scaled to a mean square norm of 1, so that a
``C`` means the same for every model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["single", "multi", "regression"]

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""The values of ``C`` among which :func:`choose_strength` chooses.

The first is also what keeps ``CAREFUL`` from a head that says nothing, where labels hardly follow from
texts and all losses are alike: smaller ones were no better there (``benchmarks/quality/strength.py``).
"""

CAREFUL: dict[Kind, float] = {"single": 1.05, "multi": 1.02, "regression": 1.02}
"""Of the values of ``C`` whose loss is at most so many times the lowest the smallest is taken.

It errs less often on other rows (``benchmarks/quality/strength.py``), also because more rows than it is
chosen on want a smaller one. 5 % would cost up to 0.06 of micro-F1 with several labels a row, and 0.02
of R² for numbers.
"""

RISEN = 1.05
"""Where the loss is so many times the lowest, higher values of ``C`` are not tried."""

MAX_STEPS = 200
TOLERANCE = 1e-5
"""Of the objective's gradient on the axes, where its second derivative is about 1."""

FOLDS = 5
MAX_CHOICE_ROWS = 3000
"""Rows on which ``C`` is chosen at most: more change the choice little and cost time."""


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
    """Features on their principal axes, in which the problem is well conditioned for any ``C``.

    Logistic regression on raw features takes L-BFGS hundreds of steps. The Hessian of the objective
    is about ``1 + C · s · XᵀX`` with ``s`` the mean of ``p (1 - p)``; on the principal axes of ``X``
    its root is a diagonal, by which each axis is divided.
    """

    def __init__(self, features: Tensor, dtype: torch.dtype) -> None:
        features = features.to(dtype)
        self.mean = features.mean(dim=0)
        centred = features - self.mean
        self.scale = float(centred.pow(2).sum(dim=1).mean().sqrt()) or 1.0
        centred = centred / self.scale
        rows, columns = centred.shape
        if rows < columns:
            values, vectors = torch.linalg.eigh(centred @ centred.T)
            kept = values > values.max().clamp(min=1e-30) * 1e-10
            roots = values[kept].sqrt()
            self.axes = centred.T @ (vectors[:, kept] / roots)
            self.values = values[kept]
        else:
            values, self.axes = torch.linalg.eigh(centred.T @ centred)
            self.values = values.clamp(min=0)
        self.rows = centred @ self.axes

    def head(self, weight: Tensor, bias: Tensor) -> LinearHead:
        """Return the layer for raw features of a solution on the axes, shape (axes, outputs)."""
        raw = (self.axes @ weight).T / self.scale
        return LinearHead(raw, bias - raw @ self.mean)


def fit_head(
    features: Tensor,
    targets: Tensor,
    kind: Kind,
    outputs: int,
    strength: float,
    weights: Tensor | None = None,
) -> LinearHead:
    """Return the linear layer that fits the targets.

    Args:
        features: shape (rows, features).
        targets: label ids, shape (rows,); 0 and 1, shape (rows, outputs); or numbers of either shape.
        kind: ``single``, ``multi`` or ``regression``.
        outputs: how many outputs the layer has.
        strength: ``C``, the weight of the data against the penalty.
        weights: of labels, shape (outputs,): of the rows of a label (single), or of its positive
            rows (multi).
    """
    dtype = torch.float64 if features.numel() * outputs < 5e7 else torch.float32
    return _solve(Basis(features, dtype), targets, kind, outputs, strength, weights)


def _solve(
    basis: Basis,
    targets: Tensor,
    kind: Kind,
    outputs: int,
    strength: float,
    weights: Tensor | None,
) -> LinearHead:
    if kind == "regression":
        return _ridge(basis, targets, outputs, strength)
    rows = basis.rows
    curvature = 0.25 if kind == "multi" else (outputs - 1) / outputs**2
    shrink = (1 + strength * curvature * basis.values).rsqrt()
    inputs, penalty = rows * shrink, shrink.pow(2)[:, None]
    truth, row_weights = _truth(targets, kind, outputs, weights, rows.dtype)
    solution = torch.zeros(inputs.shape[1] + 1, outputs, dtype=rows.dtype)
    solution[-1] = _prior(truth, kind)
    solution.requires_grad_(True)
    # Everything is divided by C · rows: the optimiser's tolerances are about numbers near 1.
    unit = 1 / (strength * len(rows))
    optimiser = torch.optim.LBFGS(
        [solution],
        max_iter=MAX_STEPS,
        history_size=20,
        tolerance_grad=TOLERANCE * unit**0.5,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    @torch.no_grad()
    def closure() -> float:
        weight, bias = solution[:-1], solution[-1]
        scores = torch.addmm(bias, inputs, weight)
        loss, slope = _loss_and_slope(scores, truth, row_weights, kind)
        slope /= len(rows)
        gradient = torch.empty_like(solution)
        torch.mm(inputs.T, slope, out=gradient[:-1])
        gradient[:-1] += unit * penalty * weight
        gradient[-1] = slope.sum(dim=0)
        solution.grad = gradient
        return loss / len(rows) + 0.5 * unit * float((penalty * weight.pow(2)).sum())

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = solution.detach()
    return basis.head(found[:-1] * shrink[:, None], found[-1])


def _truth(
    targets: Tensor, kind: Kind, outputs: int, weights: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor | None]:
    """Return 0 and 1 of shape (rows, outputs), and weights: (rows, 1) or of positives (outputs,)."""
    if kind == "multi":
        return targets.to(dtype), None if weights is None else weights.to(dtype)
    truth = torch.nn.functional.one_hot(targets.long(), outputs).to(dtype)
    if weights is None:
        return truth, None
    of_rows = weights.to(dtype)[targets.long()]
    return truth, (of_rows / of_rows.mean())[:, None]


def _prior(truth: Tensor, kind: Kind) -> Tensor:
    """Return the bias that gives each label its share: where the search begins."""
    share = (truth.sum(dim=0) + 0.5) / (len(truth) + 1)
    return share.logit() if kind == "multi" else share.log()


def _loss_and_slope(
    scores: Tensor, truth: Tensor, weights: Tensor | None, kind: Kind
) -> tuple[float, Tensor]:
    """Return the summed loss and its derivative by the scores."""
    if kind == "multi":
        slope = scores.sigmoid() - truth
        each = torch.nn.functional.softplus(scores) - truth * scores
        if weights is not None:
            factor = 1 + truth * (weights - 1)
            each, slope = each * factor, slope * factor
        return float(each.sum()), slope
    logs = scores.log_softmax(dim=1)
    each = -(logs * truth).sum(dim=1, keepdim=True)
    slope = logs.exp_() - truth
    if weights is not None:
        each, slope = each * weights, slope * weights
    return float(each.sum()), slope


def _ridge(basis: Basis, targets: Tensor, outputs: int, strength: float) -> LinearHead:
    """Return the closed-form solution for ``½‖W‖² + C/2 · Σ (y - Wx)²``."""
    numbers = targets.to(basis.rows.dtype).reshape(len(targets), outputs)
    bias = numbers.mean(dim=0)
    moment = basis.rows.T @ (numbers - bias)
    return basis.head(moment / (basis.values + 1 / strength)[:, None], bias)


def mean_loss(head: LinearHead, features: Tensor, targets: Tensor, kind: Kind) -> float:
    """Return the mean log-loss (summed over labels for ``multi``), or the mean square error."""
    scores = head(features)
    if kind == "regression":
        return float((scores - targets.to(scores).reshape(scores.shape)).pow(2).mean())
    truth, _ = _truth(targets, kind, scores.shape[1], None, scores.dtype)
    loss, _ = _loss_and_slope(scores, truth, None, kind)
    return loss / len(features)


def steepness(head: LinearHead, features: Tensor) -> float:
    """Return by how much the steepest score changes when a row's features change by their own length."""
    length = float(features.float().pow(2).sum(dim=1).mean().sqrt())
    return length * float(head.weight.norm(dim=1).max())


def folds_of(targets: Tensor, kind: Kind, folds: int, seed: int = 0) -> Tensor:
    """Return the fold of each row, the rows of a label spread evenly over the folds.

    A row with several labels counts as one of its rarest.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(targets), generator=generator)
    if kind == "multi":
        rare = targets.sum(dim=0).float()
        keys = torch.where(targets > 0, rare, math.inf).argmin(dim=1)
        keys[targets.sum(dim=1) == 0] = targets.shape[1]
    elif kind == "single":
        keys = targets.long()
    else:
        keys = torch.zeros(len(targets), dtype=torch.long)
    order = order[keys[order].argsort(stable=True)]
    fold = torch.empty(len(targets), dtype=torch.long)
    fold[order] = torch.arange(len(targets)) % folds
    return fold


def seen_again(targets: Tensor, kind: Kind) -> Tensor:
    """Return of each row whether others have its labels too, shape (rows,)."""
    if kind == "multi":
        rare = targets.sum(dim=0) < 2
        return ~((targets > 0) & rare).any(dim=1)
    if kind == "single":
        return torch.bincount(targets.long())[targets.long()] > 1
    return torch.ones(len(targets), dtype=torch.bool)


@dataclass(frozen=True)
class Choice:
    """What an inner validation chose.

    Attributes:
        strength: the smallest ``C`` whose loss is nearly the lowest.
        losses: the mean loss of the rows that were left out, for each ``C`` that was tried.
    """

    strength: float
    losses: dict[float, float]

    @property
    def lowest(self) -> float:
        """The lowest loss, of whichever strength."""
        return min(self.losses.values())


def choose_strength(
    features: Tensor,
    targets: Tensor,
    kind: Kind,
    outputs: int,
    weights: Tensor | None = None,
    strengths: Sequence[float] = STRENGTHS,
    beside: tuple[Tensor, Tensor] | None = None,
) -> Choice:
    """Return the smallest ``C`` whose loss on rows left out is nearly the lowest.

    Few rows are cross-validated; of many a sample is taken and a fifth of it left out. ``C`` is tried
    upwards until the loss has clearly risen. ``beside`` are features and targets of rows that are
    never left out.
    """
    if len(features) > MAX_CHOICE_ROWS:
        generator = torch.Generator().manual_seed(0)
        sample = torch.randperm(len(features), generator=generator)[:MAX_CHOICE_ROWS]
        features, targets = features[sample], targets[sample]
    fold = folds_of(targets, kind, min(FOLDS, len(features)))
    left_out = range(1 if len(features) >= 1000 else int(fold.max()) + 1)
    parts = []
    for number in left_out:
        train, test = fold != number, fold == number
        inputs, known = stacked(features[train], targets[train], beside)
        parts.append((Basis(inputs, torch.float32), known, features[test], targets[test]))
    losses: dict[float, float] = {}
    for strength in strengths:
        losses[strength] = sum(
            mean_loss(_solve(basis, known, kind, outputs, strength, weights), inputs, truth, kind)
            * len(inputs)
            for basis, known, inputs, truth in parts
        ) / sum(len(inputs) for _, _, inputs, _ in parts)
        if losses[strength] > RISEN * min(losses.values()):
            break
    return Choice(smallest_within(losses, CAREFUL[kind]), losses)


def smallest_within(losses: Mapping[float, float], times: float) -> float:
    """Return the first ``C``, of rising ones, whose loss is at most so many times the lowest."""
    enough = times * min(losses.values())
    return next(c for c, loss in losses.items() if loss <= enough)


def stacked(
    features: Tensor, targets: Tensor, beside: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Return features and targets with more rows after them, if there are any."""
    if beside is None:
        return features, targets
    return torch.cat([features, beside[0]]), torch.cat([targets, beside[1].to(targets)])


def out_of_fold(
    features: Tensor,
    targets: Tensor,
    kind: Kind,
    outputs: int,
    strength: float,
    folds: int = FOLDS,
    seed: int = 0,
) -> Tensor:
    """Return the scores of each row by a probe that has not seen it, shape (rows, outputs)."""
    fold = folds_of(targets, kind, min(folds, len(features)), seed)
    scores = torch.empty(len(features), outputs)
    for number in range(int(fold.max()) + 1):
        rest, these = fold != number, fold == number
        head = fit_head(features[rest], targets[rest], kind, outputs, strength)
        scores[these] = head(features[these]).float()
    return scores
