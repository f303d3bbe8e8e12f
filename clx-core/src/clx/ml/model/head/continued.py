"""The head of a training that continues a run: its rows are kept, and new labels get rows of a probe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clx.ml.model.head.fit_probe import MIN_COMPARED_ROWS, Probe, fit_probe
from clx.ml.model.head.initialize import Head, label_examples, row_examples
from clx.ml.model.head.layer import set_head
from clx.ml.model.head.parts import MANY_LABELS
from clx.ml.model.head.probe import (
    Examples,
    LinearHead,
    basis_of,
    fit_head,
    label_loss_weights,
    mean_loss,
    mean_loss_of_scores,
    steepness,
)
from clx.ml.model.head.request import labeled_rows
from clx.ml.model.head.validation import MAX_CHOICE_ROWS, labels_repeat, out_of_fold

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.model.head.request import HeadRequest

EARLIER, PROBE, ROWS_ADDED = "earlier", "probe", "earlier, new labels by probe"
"""How a continued head began: see :class:`Continued`."""

MAX_STEPS = 100


@dataclass(frozen=True)
class Continued:
    """How the head of a continued training began.

    Attributes:
        head: ``earlier`` for the earlier head, ``probe`` for a new probe that is better on held-out
            rows, or ``earlier, new labels by probe``.
        earlier_loss: the mean loss of the earlier head on rows that it was not trained on; None if
            it was not measured.
        probe_loss: the mean out-of-fold loss of the probe on the same rows.
    """

    head: str
    earlier_loss: float | None = None
    probe_loss: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        losses = {"earlier_loss": self.earlier_loss, "probe_loss": self.probe_loss}
        rounded = {key: None if loss is None else round(loss, 5) for key, loss in losses.items()}
        return {"head": self.head, **rounded}


@dataclass(frozen=True)
class EarlierRows:
    """The rows of a head that come from the earlier run.

    Attributes:
        labels: the ids of the labels that the earlier run has.
        unseen: whether the earlier run was not trained on a row, shape (rows,), by row of the data.
    """

    labels: Tensor
    unseen: Tensor


def continue_head(
    model: PreTrainedModel, head: Head, request: HeadRequest, earlier: EarlierRows
) -> Head:
    """Fit what the earlier run does not know, and write it into the model's head.

    With new labels, their rows are fitted to the training rows, and the other rows do not change.
    Without new labels, a new probe replaces the head if its loss on held-out rows is lower.

    Args:
        model: the model with the earlier run's weights; changed in place.
        head: its prepared head.
        request: the options and the rows.
        earlier: which rows of the head are the earlier run's.
    """
    layer, kind = head.layer, head.kind
    assert layer is not None
    assert kind is not None
    rows = labeled_rows(request, kind)
    examples = row_examples(model, layer, request, rows)
    features = examples.features
    before = LinearHead(layer.weight.detach().float().cpu(), layer.bias.detach().float().cpu())
    described = label_examples(model, layer, request, examples)
    judge = request.texts is not None and not request.texts.certain
    probe = fit_probe(examples, described, judge_extra=judge, fine_tune=request.fine_tune)
    new = _others(earlier.labels, layer.out_features)
    if len(new):
        everything = examples.joined(described if probe.extra else None)
        fitted = with_new_rows(before, new, everything, probe.C)
        continued = Continued(ROWS_ADDED)
    else:
        # Features of windows have one row per text; otherwise a dataset's row is a row of the data.
        unseen: Tensor | None = earlier.unseen
        if len(earlier.unseen) != len(examples):
            is_row = len(earlier.unseen) == len(request.dataset)
            unseen = earlier.unseen[rows.positions] if is_row else None
        continued = _measured(before, probe, examples, unseen)
        fitted = probe.head if continued.head == PROBE else before
    set_head(layer, fitted)
    return replace(
        head,
        init="probe",
        C=probe.C,
        steepness=round(steepness(fitted, features), 3),
        rows=len(examples),
        label_texts=probe.extra if continued.head != EARLIER else 0,
        train_loss=round(mean_loss(fitted, examples), 5),
        losses={**head.losses, **probe.losses},
        continued=continued,
    )


def _others(labels: Tensor, outputs: int) -> Tensor:
    is_new = torch.ones(outputs, dtype=torch.bool)
    is_new[labels] = False
    return is_new.nonzero()[:, 0]


def _measured(
    before: LinearHead, probe: Probe, examples: Examples, unseen: Tensor | None
) -> Continued:
    """Compare the earlier head with the probe on rows that neither was fitted to.

    The earlier head stays if that cannot be measured: there are few such rows, or labels whose rows
    cannot be held out. A probe without rows of a label would forget it.
    """
    if unseen is None or examples.outputs > MANY_LABELS or len(examples) < MIN_COMPARED_ROWS:
        return Continued(EARLIER)
    if examples.kind != "regression":
        own = examples.select(unseen)
        counted = own.targets if own.kind == "multi" else _one_hot(own)
        if int(counted.sum(dim=0).min()) < 2:
            return Continued(EARLIER)
    generator = torch.Generator().manual_seed(0)
    sample = torch.randperm(len(examples), generator=generator)[:MAX_CHOICE_ROWS]
    chosen, unseen = examples.select(sample), unseen[sample]
    unseen = unseen & labels_repeat(chosen.targets, chosen.kind)
    if int(unseen.sum()) < MIN_COMPARED_ROWS:
        return Continued(EARLIER)
    scores = out_of_fold(chosen, probe.C)[unseen]
    judges = chosen.select(unseen)
    earlier_loss, probe_loss = mean_loss(before, judges), mean_loss_of_scores(scores, judges)
    better = PROBE if probe_loss < earlier_loss else EARLIER
    return Continued(better, earlier_loss, probe_loss)


def _one_hot(examples: Examples) -> Tensor:
    return torch.nn.functional.one_hot(examples.targets.long(), examples.outputs)


def with_new_rows(before: LinearHead, new: Tensor, examples: Examples, C: float) -> LinearHead:
    """Return a head with fitted rows for new labels; its other rows do not change.

    Args:
        before: the head, whose rows for new labels are ignored.
        new: the ids of the new labels, ascending.
        examples: rows of all labels.
        C: the inverse of the regularization strength.
    """
    if examples.kind == "multi":
        # Each label is a regression of its own.
        weights = None if examples.weights is None else examples.weights[new]
        soft = None if examples.soft is None else examples.soft[:, new]
        own = replace(examples, targets=examples.targets[:, new], outputs=len(new))
        own = replace(own, weights=weights, soft=soft)
        fitted = fit_head(own, C)
    else:
        fitted = _beside(before, new, examples, C)
    weight, bias = before.weight.clone(), before.bias.clone()
    weight[new], bias[new] = fitted.weight.to(weight), fitted.bias.to(bias)
    return LinearHead(weight, bias)


def _beside(before: LinearHead, new: Tensor, examples: Examples, C: float) -> LinearHead:
    """Fit rows of a multinomial regression whose other rows are given.

    The bias is penalized like the weights: without rows of the earlier labels, nothing else would
    bound it, and the new labels would win everywhere.
    """
    old = _others(new, examples.outputs)
    targets = examples.targets.long()
    scores = before(examples.features)[:, old]
    others = scores.logsumexp(dim=1)
    place = torch.full((examples.outputs,), -1)
    place[new] = torch.arange(len(new))
    is_new = place[targets] >= 0
    position = torch.zeros(examples.outputs, dtype=torch.long)
    position[old] = torch.arange(len(old))
    of_old = scores.gather(1, position[targets][:, None])[:, 0]
    basis = basis_of(examples, torch.float32)
    weights, soft = label_loss_weights(examples, torch.float32), examples.soft
    if examples.row_weights is not None:
        each = examples.counted(torch.float32)[:, None]
        weights = each if weights is None else each * weights
    solution = torch.zeros(basis.rows.shape[1] + 1, len(new), requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [solution], max_iter=MAX_STEPS, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        own = basis.rows @ solution[:-1] + solution[-1]
        of_target = torch.where(
            is_new, own.gather(1, place[targets].clamp(min=0)[:, None])[:, 0], of_old
        )
        if soft is not None:
            of_target = (soft[:, new] * own).sum(dim=1) + (soft[:, old] * scores).sum(dim=1)
        losses = torch.logaddexp(others, own.logsumexp(dim=1)) - of_target
        if weights is not None:
            losses = losses * weights[:, 0]
        loss = losses.mean() + solution.pow(2).sum() / (2 * C * len(losses))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = solution.detach()
    return basis.head(found[:-1], found[-1])
