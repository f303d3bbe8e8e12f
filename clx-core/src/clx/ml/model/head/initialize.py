"""Prepare a model's head for fine-tuning: the checkpoint's pooling, and a linear probe.

To fit the probe first and fine-tune from there is LP-FT (Kumar et al. 2022, "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from clx.ml.machine.finite import not_finite
from clx.ml.model.head.fit_probe import fit_probe
from clx.ml.model.head.label_texts import require_probe, text_examples
from clx.ml.model.head.layer import collect_features, find_head, first_rows, label_kind_of, set_head
from clx.ml.model.head.pooling import install_pooling, installed_pooling
from clx.ml.model.head.pooling_choice import choose_pooling, pooling_by_name
from clx.ml.model.head.probe import Examples, Kind
from clx.ml.model.head.request import HeadRequest, LabeledRows, labeled_rows
from clx.ml.model.head.row_targets import with_row_targets
from clx.problems import examples as some_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass
class Head:
    """How a model's head was prepared; ``to_dict`` returns the part that results keep.

    Attributes:
        layer: the linear layer that computes the scores, None if there is none.
        kind: the kind of the labels, None if a probe cannot fit them.
        pooling: ``mean``, ``cls`` or ``model``.
        chosen_by: why that pooling was chosen.
        init: ``probe`` or ``random``.
        reason: why no probe could be fitted.
        C: the probe's inverse regularization strength; results call it ``strength``.
        steepness: see :func:`clx.ml.model.head.probe.steepness`.
        rows: the number of rows that the probe was fitted to.
        label_texts: the number of texts that describe labels among its extra examples.
        train_loss: the probe's mean loss on the rows.
        score_difference: how much the saved model's scores differ from this one's.
        seconds: the time that the preparation took.
        losses: by validation, the mean loss on held-out rows for each ``C`` that was tried.
        continued: how the head of a continued training began, None for another training.
    """

    layer: nn.Linear | None = None
    kind: Kind | None = None
    pooling: str = "model"
    chosen_by: str = "option"
    init: str = "random"
    reason: str | None = None
    C: float | None = None
    steepness: float | None = None
    rows: int = 0
    label_texts: int = 0
    train_loss: float | None = None
    score_difference: float | None = None
    seconds: float = 0.0
    losses: dict[str, dict[float, float]] = field(default_factory=dict)
    continued: Any = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "pooling": self.pooling,
            "pooling_chosen_by": self.chosen_by,
            "init": self.init,
            "reason": self.reason,
            "strength": self.C,
            "steepness": self.steepness,
            "probe_rows": self.rows,
            "label_texts": self.label_texts,
            "probe_train_loss": self.train_loss,
            "score_difference": self.score_difference,
            "seconds": round(self.seconds, 3),
            "validation": validation_to_json(self.losses),
            **({} if self.continued is None else {"continued": self.continued.to_dict()}),
        }


def validation_to_json(losses: Mapping[str, Mapping[float, float]]) -> dict[str, dict[str, float]]:
    """Return the losses of probes on held-out rows as plain values for JSON."""
    return {name: {str(C): round(loss, 5) for C, loss in of.items()} for name, of in losses.items()}


def prepare_head(model: PreTrainedModel, request: HeadRequest) -> Head:
    """Give a freshly loaded model its pooling, and its head the weights of a probe.

    Args:
        model: the model, on the device where it will run; changed in place.
        request: the options and the rows.

    Raises:
        ConfigError: the model's class cannot compute the pooling that was asked for, or there is no
            probe to give the user's label texts to.
    """
    started = time.monotonic()
    as_loaded = request.pooling == "model" and request.init == "random"
    if as_loaded and not request.find_layer and not installed_pooling(model):
        return Head()
    layer = find_head(model, first_rows(model, request.dataset, request.collator))
    kind = label_kind_of(model, request.dataset)
    obstacle = _obstacle(model, layer, kind)
    if request.init == "probe" and (obstacle or kind == "regression"):
        require_probe(request.texts, obstacle or "the labels are numbers")
    if layer is None or kind is None or obstacle is not None:
        wanted = "model" if request.pooling == "auto" else request.pooling
        pooling = pooling_by_name(model, wanted, request.model_args)
        install_pooling(model, pooling.name)
        return Head(layer, kind, pooling.name, pooling.chosen_by, reason=obstacle)
    rows = labeled_rows(request, kind)
    pooling = choose_pooling(model, layer, request, rows)
    install_pooling(model, pooling.name)
    head = Head(layer, kind, pooling.name, pooling.chosen_by, losses=pooling.losses)
    if request.init == "probe":
        head = _with_probe(head, layer, model, request, rows)
    head.seconds = time.monotonic() - started
    return head


def _obstacle(model: PreTrainedModel, layer: nn.Linear | None, kind: Kind | None) -> str | None:
    """Return why a probe cannot be fitted, None if it can."""
    bad = not_finite(model)
    if bad:
        return f"its weights {some_of(bad)} are not finite numbers"
    if layer is None:
        return "no linear layer with a bias computes the model's scores"
    if kind is None:
        return "the labels are not one label per row, 0 and 1 for each label, or numbers"
    return None


def _with_probe(
    head: Head, layer: nn.Linear, model: PreTrainedModel, request: HeadRequest, rows: LabeledRows
) -> Head:
    """Write a probe into the layer and record it."""
    examples = row_examples(model, layer, request, rows)
    probe = fit_probe(
        examples,
        label_examples(model, layer, request, examples),
        judge_extra=request.texts is not None and not request.texts.certain,
        fine_tune=request.fine_tune,
    )
    set_head(layer, probe.head)
    return replace(
        head,
        init="probe",
        C=probe.C,
        steepness=round(probe.steepness, 3),
        rows=len(examples),
        label_texts=probe.extra,
        train_loss=round(probe.train_loss, 5),
        losses={**head.losses, **probe.losses},
    )


def row_examples(
    model: PreTrainedModel, layer: nn.Linear, request: HeadRequest, rows: LabeledRows
) -> Examples:
    """Return examples by row, or by text if rows are windows of texts."""
    dataset, positions = request.dataset, rows.positions.tolist()
    chosen = dataset if len(rows) == len(dataset) else dataset.select(positions)
    features, targets = collect_features(model, layer, chosen, request.collator), rows.targets
    windows = None if request.windows is None else request.windows.only(positions)
    if windows is not None:
        features = torch.from_numpy(windows.pooled(features.numpy()))
        targets = targets[windows.firsts()]
    examples = Examples(features, targets, rows.kind, layer.out_features, request.label_weights)
    return with_row_targets(examples, dataset, rows.positions, windows)


def label_examples(
    model: PreTrainedModel, layer: nn.Linear, request: HeadRequest, examples: Examples
) -> Examples | None:
    """Return the label texts as examples, None if there are none or the rows do not need them."""
    collect = partial(collect_features, model, layer, collator=request.collator)
    return text_examples(request.texts, examples, collect)
