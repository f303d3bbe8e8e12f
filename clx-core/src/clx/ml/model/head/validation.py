"""Measure probes on rows that they were not fitted to: the choice of ``C``, and out-of-fold scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from clx.ml.model.head.parts import MANY_LABELS
from clx.ml.model.head.probe import (
    MAX_STEPS,
    MAX_STEPS_FOR_MANY,
    Examples,
    Kind,
    basis_of,
    fit_head,
    mean_loss,
    solve,
)

C_VALUES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""The values of ``C`` that :func:`choose_c` tries.

The smallest one also limits ``NEARLY_LOWEST``: where labels hardly depend on texts, all losses are
alike, and a very small ``C`` would give a head that says nothing. Smaller values were no better there
(``benchmarks/quality/strength.py``).
"""

NEARLY_LOWEST: dict[Kind, float] = {"single": 1.05, "multi": 1.02, "regression": 1.02}
"""The smallest ``C`` is chosen whose loss is at most the lowest loss times this factor.

A smaller ``C`` makes fewer errors on other rows (``benchmarks/quality/strength.py``), also because a
probe on more rows than it is chosen on needs a smaller one. A factor of 1.05 would cost up to 0.06 of
micro-F1 with several labels per row, and 0.02 of R² for numbers.
"""

RISEN = 1.05
"""Larger values of ``C`` are not tried after a loss above the lowest one times this factor."""

FOLDS = 5
MAX_CHOICE_ROWS = 3000
"""The most rows on which ``C`` is chosen: more rows hardly change the choice, and cost time."""

MIN_CHOICE_ROWS = 16
"""Fewer rows cannot tell one ``C`` or pooling from another."""

MIN_SPLIT_ROWS = 1000
"""From this number of rows on, one fold is left out instead of each in turn."""


def folds_of(targets: Tensor, kind: Kind, folds: int, seed: int = 0) -> Tensor:
    """Return the fold of each row, shape (rows,), with each label spread evenly over the folds.

    A row with several labels counts as a row of its rarest label.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(targets), generator=generator)
    if kind == "multi":
        counts = targets.sum(dim=0).float()
        keys = torch.where(targets > 0, counts, math.inf).argmin(dim=1)
        keys[targets.sum(dim=1) == 0] = targets.shape[1]
    elif kind == "single":
        keys = targets.long()
    else:
        keys = torch.zeros(len(targets), dtype=torch.long)
    order = order[keys[order].argsort(stable=True)]
    fold = torch.empty(len(targets), dtype=torch.long)
    fold[order] = torch.arange(len(targets)) % folds
    return fold


def labels_repeat(targets: Tensor, kind: Kind) -> Tensor:
    """Return whether each label of a row occurs in other rows too, shape (rows,)."""
    if kind == "multi":
        rare = targets.sum(dim=0) < 2
        return ~((targets > 0) & rare).any(dim=1)
    if kind == "single":
        return torch.bincount(targets.long())[targets.long()] > 1
    return torch.ones(len(targets), dtype=torch.bool)


def some_labels(targets: Tensor, kind: Kind, outputs: int) -> Tensor | None:
    """Return at most ``MANY_LABELS`` labels to base choices on, ascending; None for all labels.

    They are the labels of randomly drawn rows. Choices based on few rows of each of many labels
    would be slow and wrong: the best ``C`` depends on the number of rows per label.
    """
    if outputs <= MANY_LABELS or kind == "regression":
        return None
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    drawn = targets[order].nonzero()[:, 1] if kind == "multi" else targets[order].long()
    found, first = np.unique(drawn.numpy(), return_index=True)
    return torch.from_numpy(np.sort(found[np.argsort(first)[:MANY_LABELS]]))


def rows_with(targets: Tensor, kind: Kind, labels: Tensor) -> Tensor:
    """Return whether each row has one of the labels, shape (rows,)."""
    if kind == "multi":
        return (targets[:, labels] > 0).any(dim=1)
    return torch.isin(targets.long(), labels)


def restricted(examples: Examples, labels: Tensor) -> Examples:
    """Return the rows that have one of the labels, with these labels only."""
    chosen = examples.select(rows_with(examples.targets, examples.kind, labels))
    if examples.kind == "multi":
        targets = chosen.targets[:, labels]
    else:
        targets = torch.searchsorted(labels, chosen.targets.long())
    weights = None if examples.weights is None else examples.weights[labels]
    soft = None if chosen.soft is None else chosen.soft[:, labels]
    if soft is not None and examples.kind == "single":
        soft = soft / soft.sum(dim=1, keepdim=True)
    return replace(chosen, targets=targets, outputs=len(labels), weights=weights, soft=soft)


@dataclass(frozen=True)
class Choice:
    """A choice of ``C`` by validation.

    Attributes:
        C: the smallest value whose loss is nearly the lowest.
        losses: the mean loss on the held-out rows for each ``C`` that was tried.
    """

    C: float
    losses: dict[float, float]

    @property
    def lowest(self) -> float:
        """The lowest loss for any ``C``."""
        return min(self.losses.values())


def choose_c(
    examples: Examples,
    values: Sequence[float] = C_VALUES,
    extra_examples: Examples | None = None,
) -> Choice:
    """Return the smallest ``C`` whose loss on held-out rows is nearly the lowest.

    Few rows are cross-validated. From more rows, a sample is drawn, and a fifth of it is held out.
    From many labels, some are drawn.

    Args:
        examples: the rows to fit to and to hold out.
        values: the values of ``C`` to try, in ascending order, until the loss has clearly risen.
        extra_examples: rows that every probe is fitted to and that are never held out.
    """
    labels = some_labels(examples.targets, examples.kind, examples.outputs)
    if labels is not None:
        examples = restricted(examples, labels)
        extra_examples = None if extra_examples is None else restricted(extra_examples, labels)
    if len(examples) > MAX_CHOICE_ROWS:
        generator = torch.Generator().manual_seed(0)
        order = torch.randperm(len(examples), generator=generator)
        examples = examples.select(order[:MAX_CHOICE_ROWS])
    fold = folds_of(examples.targets, examples.kind, min(FOLDS, len(examples)))
    splits = []
    for number in range(1 if len(examples) >= MIN_SPLIT_ROWS else int(fold.max()) + 1):
        train = examples.select(fold != number).joined(extra_examples)
        held_out = examples.select(fold == number)
        splits.append((basis_of(train, torch.float32), train, held_out))
    losses: dict[float, float] = {}
    max_steps = MAX_STEPS if labels is None else MAX_STEPS_FOR_MANY
    for C in values:
        losses[C] = sum(
            mean_loss(solve(basis, train, C, max_steps), held_out) * held_out.count
            for basis, train, held_out in splits
        ) / sum(held_out.count for *_, held_out in splits)
        if losses[C] > RISEN * min(losses.values()):
            break
    return Choice(smallest_within(losses, NEARLY_LOWEST[examples.kind]), losses)


def smallest_within(losses: Mapping[float, float], factor: float) -> float:
    """Return the first ``C`` whose loss is at most the lowest loss times ``factor``.

    Args:
        losses: the loss for each ``C``, in ascending order of ``C``.
        factor: 1 or more.
    """
    enough = factor * min(losses.values())
    return next(C for C, loss in losses.items() if loss <= enough)


def out_of_fold(examples: Examples, C: float, folds: int = FOLDS, seed: int = 0) -> Tensor:
    """Return the scores of each row from a probe that was not fitted to it, shape (rows, outputs)."""
    fold = folds_of(examples.targets, examples.kind, min(folds, len(examples)), seed)
    scores = torch.empty(len(examples), examples.outputs)
    for number in range(int(fold.max()) + 1):
        head = fit_head(examples.select(fold != number), C)
        held_out = fold == number
        scores[held_out] = head(examples.features[held_out]).float()
    return scores
