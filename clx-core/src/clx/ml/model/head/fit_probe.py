"""Fit the probe that a head starts from, with label names as extra examples where they help."""

from __future__ import annotations

from dataclasses import dataclass, field

from clx.ml.model.head.probe import Examples, LinearHead, fit_head, mean_loss, steepness
from clx.ml.model.head.validation import (
    C_VALUES,
    MIN_CHOICE_ROWS,
    Choice,
    choose_c,
    labels_repeat,
    restricted,
    some_labels,
)

MIN_COMPARED_ROWS = 4
"""Fewer rows cannot tell whether label names help."""

ALMOST = 1.02
"""Keep label names if the held-out loss is at most this factor times the loss without them."""

FEW_ROWS_C = 10.0
"""The value of ``C`` for fewer than ``MIN_CHOICE_ROWS`` rows."""

MAX_STEEPNESS = 50.0
"""The steepest probe that a fine-tuning may start from.

Where the features of different texts hardly differ, a probe that separates them has very large weights,
and even the small first steps of a fine-tuning change the scores at random. The probe's ``C`` is
lowered until the probe is less steep than this.
"""

Losses = dict[str, dict[float, float]]


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes:
        head: its weights.
        C: the inverse of the regularization strength that it was fitted with.
        extra: the number of extra examples that it was fitted to.
        steepness: see :func:`clx.ml.model.head.probe.steepness`.
        train_loss: the mean loss on the rows.
        losses: by validation, the mean loss on held-out rows for each ``C`` that was tried.
    """

    head: LinearHead
    C: float
    extra: int
    steepness: float
    train_loss: float
    losses: Losses


def fit_probe(
    examples: Examples, extra_examples: Examples | None, *, judge_extra: bool, fine_tune: bool
) -> Probe:
    """Return the probe for rows.

    Args:
        examples: the rows.
        extra_examples: the texts that describe labels.
        judge_extra: whether to leave these texts out if they raise the loss on held-out rows.
        fine_tune: whether a fine-tuning follows; if so, the probe must not be too steep.
    """
    verdict = _Verdict(extra_examples)
    if extra_examples is not None and judge_extra:
        verdict = _judge(examples, extra_examples)
    choice = verdict.choice or _choose_c(examples, verdict.extra_examples)
    everything = examples.joined(verdict.extra_examples)
    C = _gentle_c(everything, choice.C) if fine_tune else choice.C
    head = fit_head(everything, C)
    while fine_tune and steepness(head, examples.features) > MAX_STEEPNESS:
        C /= 3
        head = fit_head(everything, C)
    return Probe(
        head,
        C,
        extra=len(everything) - len(examples),
        steepness=steepness(head, examples.features),
        train_loss=mean_loss(head, examples),
        losses={**verdict.losses, "probe": choice.losses},
    )


def _gentle_c(examples: Examples, C: float) -> float:
    """Return a ``C`` that is not too steep; of many labels, some are used, as a fit to all is slow."""
    labels = some_labels(examples.targets, examples.kind, examples.outputs)
    if labels is None:
        return C
    some = restricted(examples, labels)
    while steepness(fit_head(some, C), some.features) > MAX_STEEPNESS:
        C /= 3
    return C


@dataclass(frozen=True)
class _Verdict:
    """Whether to fit the probe to extra examples.

    Attributes:
        extra_examples: None if they raise the loss.
        choice: the ``C`` that this decided, None if ``C`` is still to be chosen.
        losses: as in :class:`Probe`.
    """

    extra_examples: Examples | None
    choice: Choice | None = None
    losses: Losses = field(default_factory=dict)


def _judge(examples: Examples, names: Examples) -> _Verdict:
    """Keep label names unless they raise the loss on held-out rows.

    Only rows whose labels occur in other rows too can tell: when the only row of a label is held out,
    any name seems better than none.
    """
    repeat = labels_repeat(examples.targets, examples.kind)
    if int(repeat.sum()) < MIN_COMPARED_ROWS:
        return _Verdict(None)
    judges = examples.select(repeat)
    alone, named = _choose_c(judges, None), _choose_c(judges, names)
    losses = {"rows alone": alone.losses, "with the names of labels": named.losses}
    keep = named.lowest <= ALMOST * alone.lowest
    # A C that was chosen on a sample may not suit all rows.
    choice = (named if keep else alone) if bool(repeat.all()) else None
    return _Verdict(names if keep else None, choice, losses)


def _choose_c(examples: Examples, extra_examples: Examples | None) -> Choice:
    if len(examples) < MIN_COMPARED_ROWS:
        return Choice(FEW_ROWS_C, {})
    values = C_VALUES if len(examples) >= MIN_CHOICE_ROWS else (FEW_ROWS_C,)
    return choose_c(examples, values, extra_examples)
