"""A model's head before the fine-tuning: the checkpoint's own pooling, and a linear probe.

First the probe, then the fine-tuning is LP-FT (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained
Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from clx.errors import ConfigError
from clx.ml.machine.finite import not_finite
from clx.ml.model.head.label_texts import require_probe
from clx.ml.model.head.layer import (
    collect_features,
    fed,
    find_head,
    input_columns,
    label_kind,
    set_head,
    token_features,
)
from clx.ml.model.head.pooling import (
    checkpoint_pooling,
    install_pooling,
    installed_pooling,
    possible_poolings,
)
from clx.ml.model.head.probe import (
    STRENGTHS,
    Choice,
    Kind,
    LinearHead,
    choose_strength,
    fit_head,
    mean_loss,
    seen_again,
    stacked,
    steepness,
)
from clx.problems import examples

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.data.windows import TextWindows
    from clx.ml.model.head.label_texts import LabelTexts

HEAD_INITS = ("probe", "random")
MIN_CHOICE_ROWS = 16
"""Fewer rows cannot tell one ``C`` or pooling from another."""

MIN_COMPARED_ROWS = 4
"""Fewer rows cannot tell whether the names of labels help."""

ALMOST = 1.02
"""Names of labels are taken where the loss of rows left out is at most so many times that without."""

FEW_ROWS_STRENGTH = 10.0
MAX_ROWS_A_LABEL = 32
"""With more rows the names of labels say nothing that rows do not."""

MAX_STEEPNESS = 50.0
"""Where features hardly differ, a probe that separates them has huge weights, and the first steps of a
fine-tuning, small as they are, throw the scores about. Its ``C`` is lowered until it is less steep."""

POOLING_ROWS = 1500
MAX_PROBE_ROWS = 50_000

Collator = Callable[[list[dict[str, Any]]], Any]


@dataclass
class Head:
    """What was done about a model's head; ``to_dict`` is what results keep.

    Attributes:
        layer: the linear layer that makes the scores, None when there is none.
        kind: of the labels, None when a probe cannot fit them.
        pooling: ``mean``, ``cls`` or ``model``.
        chosen_by: why that pooling.
        init: ``probe`` or ``random``.
        reason: why the probe that was asked for was not made.
        label_texts: how many texts that say what labels mean were examples beside rows.
        seconds: how long all of it took.
    """

    layer: nn.Linear | None = None
    kind: Kind | None = None
    pooling: str = "model"
    chosen_by: str = "option"
    init: str = "random"
    reason: str | None = None
    strength: float | None = None
    steepness: float | None = None
    rows: int = 0
    label_texts: int = 0
    train_loss: float | None = None
    score_difference: float | None = None
    forward_seconds: float = 0.0
    seconds: float = 0.0
    losses: dict[str, dict[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "pooling": self.pooling,
            "pooling_chosen_by": self.chosen_by,
            "init": self.init,
            "reason": self.reason,
            "strength": self.strength,
            "steepness": self.steepness,
            "probe_rows": self.rows,
            "label_texts": self.label_texts,
            "probe_train_loss": self.train_loss,
            "score_difference": self.score_difference,
            "seconds": round(self.seconds, 3),
            "validation": {
                name: {str(c): round(loss, 5) for c, loss in losses.items()}
                for name, losses in self.losses.items()
            },
        }


def prepare_head(
    model: PreTrainedModel,
    folder: Path,
    dataset: Dataset,
    collator: Collator,
    *,
    pooling: str,
    init: str,
    wanted: bool,
    model_args: dict[str, Any],
    label_weights: Tensor | None = None,
    texts: LabelTexts | None = None,
    windows: TextWindows | None = None,
    fine_tune: bool = True,
    seed: int = 42,
) -> Head:
    """Give a freshly loaded model its pooling, and its head a probe's weights.

    Args:
        model: on the device where it shall run.
        folder: the checkpoint that it was loaded from.
        dataset: tokenised rows with ``labels``.
        collator: makes a batch of rows.
        pooling: ``auto``, ``mean``, ``cls`` or ``model``.
        init: ``probe`` or ``random``.
        wanted: whether the head's layer has to be found even if nothing is done about it.
        model_args: what the model was loaded with.
        label_weights: see :func:`clx.ml.model.head.probe.fit_head`.
        texts: what says what the labels mean.
        windows: which rows are windows of one text, to whose pooled features the probe is fitted.
        fine_tune: whether a fine-tuning follows, to which the probe must not be too steep.
        seed: of the rows that a probe on very many rows is fitted to.

    Raises:
        ConfigError: the model's class has no form of the pooling that was asked for.
    """
    started = time.monotonic()
    head = Head()
    if pooling == "model" and init == "random" and not wanted and not installed_pooling(model):
        return head
    head.layer, head.kind = _layer_and_kind(model, dataset, collator)
    bad = not_finite(model)
    why = f"its weights {examples(bad)} are not finite numbers" if bad else _why_not(head)
    if why is not None and init == "probe":
        require_probe(texts, why)
    if head.layer is None or head.kind is None or bad:
        _choose_by_name(head, model, "model" if pooling == "auto" else pooling, model_args)
        install_pooling(model, head.pooling)
        head.reason = why
        return head
    rows, targets = _usable(dataset, head.kind, seed, windows)
    _choose_pooling(head, model, folder, dataset, rows, targets, collator, pooling, model_args)
    install_pooling(model, head.pooling)
    if init == "probe":
        data = _features(head, model, dataset, rows, targets, collator, windows)
        _probe(head, model, *data, collator, label_weights, texts, fine_tune)
    head.seconds = time.monotonic() - started
    return head


def _layer_and_kind(
    model: PreTrainedModel, dataset: Dataset, collator: Collator
) -> tuple[nn.Linear | None, Kind | None]:
    """Return the head's layer and the kind of its labels."""
    inputs = dataset.select_columns(input_columns(dataset))
    # Two: of one, some models drop the dimension of rows.
    first = fed(inputs, range(min(2, len(dataset))), collator, model.device)
    return find_head(model, first), label_kind_of(model, dataset)


def label_kind_of(model: PreTrainedModel, dataset: Dataset) -> Kind | None:
    """Return what kind of labels a tokenised dataset has, None when a probe cannot fit them."""
    return label_kind(model, dataset["labels"][:] if "labels" in dataset.column_names else None)


def _why_not(head: Head) -> str | None:
    """Return why there is no probe that could learn from texts; None when there is one."""
    if head.layer is None:
        return "no linear layer with a bias makes the model's scores"
    if head.kind is None:
        return "the labels are not one label, 0 and 1 for each label, or numbers a row"
    return "the labels are numbers" if head.kind == "regression" else None


def _usable(
    dataset: Dataset, kind: Kind, seed: int, windows: TextWindows | None
) -> tuple[Tensor, Tensor]:
    """Return row numbers and targets of the rows that have a label, about ``MAX_PROBE_ROWS`` at most.

    A text is used with all of its windows or not at all.
    """
    targets = torch.as_tensor(dataset["labels"][:])
    rows = torch.arange(len(targets))
    if kind == "single":
        rows = rows[targets >= 0]
    if len(rows) > MAX_PROBE_ROWS:
        generator = torch.Generator().manual_seed(seed)
        text_of = rows if windows is None else torch.as_tensor(windows.row_of)[rows]
        texts = torch.unique(text_of)
        kept = len(texts) * MAX_PROBE_ROWS // len(rows)
        some = texts[torch.randperm(len(texts), generator=generator)[:kept]]
        rows = rows[torch.isin(text_of, some)]
    return rows, targets[rows]


def _choose_pooling(
    head: Head,
    model: PreTrainedModel,
    folder: Path,
    dataset: Dataset,
    rows: Tensor,
    targets: Tensor,
    collator: Collator,
    wanted: str,
    model_args: dict[str, Any],
) -> None:
    """Set the head's pooling: as wanted, as in the checkpoint, or by a validation."""
    if wanted != "auto" or len(possible_poolings(model, model_args)) == 1:
        _choose_by_name(head, model, wanted, model_args)
        return
    possible = possible_poolings(model, model_args)
    named = checkpoint_pooling(folder)
    if named in possible:
        head.pooling, head.chosen_by = str(named), "checkpoint"
        return
    head.pooling, head.chosen_by = "model", "too few rows to choose"
    if len(rows) < MIN_CHOICE_ROWS or hasattr(model.config, "classifier_pooling"):
        return
    assert head.layer is not None
    assert head.kind is not None
    sample = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:POOLING_ROWS]
    by_pooling = token_features(model, dataset.select(rows[sample].tolist()), collator, head.layer)
    choices = {
        name: choose_strength(by_pooling[name], targets[sample], head.kind, head.layer.out_features)
        for name in possible
    }
    head.losses = {f"pooling {name}": choice.losses for name, choice in choices.items()}
    head.pooling = min(choices, key=lambda name: choices[name].lowest)
    head.chosen_by = "validation"


def _choose_by_name(
    head: Head, model: PreTrainedModel, wanted: str, model_args: dict[str, Any]
) -> None:
    possible = possible_poolings(model, model_args)
    if wanted == "auto" or (wanted == "model" and installed_pooling(model)):
        head.pooling = possible[0]
        head.chosen_by = "the base model" if installed_pooling(model) else "the only one"
        return
    if wanted not in possible:
        raise ConfigError(
            f"pooling={wanted!r} cannot be had with a {type(model).__name__}: it can have "
            f"{', '.join(possible)}. pooling='auto' takes what there is."
        )
    head.pooling = wanted


def _features(
    head: Head,
    model: PreTrainedModel,
    dataset: Dataset,
    rows: Tensor,
    targets: Tensor,
    collator: Collator,
    windows: TextWindows | None,
) -> tuple[Tensor, Tensor]:
    """Return the features and targets of rows, or of texts whose windows they are."""
    assert head.layer is not None
    begun = time.monotonic()
    chosen = dataset if len(rows) == len(dataset) else dataset.select(rows.tolist())
    features = collect_features(model, head.layer, chosen, collator)
    head.forward_seconds = time.monotonic() - begun
    if windows is None:
        return features, targets
    some = windows.only(rows.tolist())
    return torch.from_numpy(some.pooled(features.numpy())), targets[some.firsts()]


def _probe(
    head: Head,
    model: PreTrainedModel,
    features: Tensor,
    targets: Tensor,
    collator: Collator,
    label_weights: Tensor | None,
    texts: LabelTexts | None,
    fine_tune: bool,
) -> None:
    layer, kind = head.layer, head.kind
    assert layer is not None
    assert kind is not None
    outputs, rows = layer.out_features, len(features)
    data = features, targets, kind, outputs, label_weights
    beside, choice = None, None
    few = rows <= MAX_ROWS_A_LABEL * outputs
    if texts is not None and kind != "regression" and (texts.certain or few):
        of_texts = collect_features(model, layer, texts.dataset, collator)
        beside = of_texts, texts.targets(kind == "multi", outputs)
        if not texts.certain:
            beside, choice = _judged(head, *data, beside)
    choice = choice or _choice(*data, beside)
    strength = choice.strength
    inputs, known = stacked(features, targets, beside)

    def fit() -> LinearHead:
        return fit_head(inputs, known, kind, outputs, strength, label_weights)

    fitted = fit()
    while fine_tune and steepness(fitted, features) > MAX_STEEPNESS:
        strength /= 3
        fitted = fit()
    set_head(layer, fitted)
    head.steepness = round(steepness(fitted, features), 3)
    head.init, head.strength, head.rows = "probe", strength, rows
    head.label_texts = len(inputs) - rows
    head.losses["probe"] = choice.losses
    head.train_loss = round(mean_loss(fitted, features, targets, kind), 5)


def _judged(
    head: Head,
    features: Tensor,
    targets: Tensor,
    kind: Kind,
    outputs: int,
    weights: Tensor | None,
    names: tuple[Tensor, Tensor],
) -> tuple[tuple[Tensor, Tensor] | None, Choice | None]:
    """Return the names of labels, or None where rows left out say that they do harm.

    Rows that alone have a label say nothing: with any name their label is better known than without.
    Where all rows were judged by, what they chose is returned too.
    """
    again = seen_again(targets, kind)
    if int(again.sum()) < MIN_COMPARED_ROWS:
        return None, None
    data = features[again], targets[again], kind, outputs, weights
    alone, named = (_choice(*data, beside) for beside in (None, names))
    head.losses |= {"rows alone": alone.losses, "with the names of labels": named.losses}
    beside, choice = (names, named) if named.lowest <= ALMOST * alone.lowest else (None, alone)
    return beside, choice if bool(again.all()) else None


def _choice(
    features: Tensor,
    targets: Tensor,
    kind: Kind,
    outputs: int,
    weights: Tensor | None,
    beside: tuple[Tensor, Tensor] | None = None,
) -> Choice:
    if len(features) < MIN_COMPARED_ROWS:
        return Choice(FEW_ROWS_STRENGTH, {})
    strengths = (FEW_ROWS_STRENGTH,) if len(features) < MIN_CHOICE_ROWS else STRENGTHS
    return choose_strength(features, targets, kind, outputs, weights, strengths, beside)
