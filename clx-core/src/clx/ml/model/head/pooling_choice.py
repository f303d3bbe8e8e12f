"""Choose a model's pooling: the one asked for, the one of the checkpoint, or the best by validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from clx.errors import ConfigError
from clx.ml.model.head.layer import token_features
from clx.ml.model.head.pooling import checkpoint_pooling, installed_pooling, possible_poolings
from clx.ml.model.head.probe import Examples
from clx.ml.model.head.row_targets import with_row_targets
from clx.ml.model.head.validation import (
    MIN_CHOICE_ROWS,
    choose_c,
    rows_with,
    some_labels,
)

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from clx.ml.model.head.request import HeadRequest, LabeledRows

POOLING_ROWS = 1500
"""The most rows on which poolings are compared."""


@dataclass(frozen=True)
class PoolingChoice:
    """A pooling and the reason for it.

    Attributes:
        name: ``mean``, ``cls`` or ``model``.
        chosen_by: why it was chosen.
        losses: by pooling, the mean loss on held-out rows for each ``C`` that was tried.
    """

    name: str
    chosen_by: str
    losses: dict[str, dict[float, float]] = field(default_factory=dict)


def choose_pooling(
    model: PreTrainedModel, layer: nn.Linear, request: HeadRequest, rows: LabeledRows
) -> PoolingChoice:
    """Return the pooling for a model whose head can be fitted to rows.

    Raises:
        ConfigError: the model's class cannot compute the pooling that was asked for.
    """
    possible = possible_poolings(model, request.model_args)
    if request.pooling != "auto" or len(possible) == 1:
        return pooling_by_name(model, request.pooling, request.model_args)
    named = checkpoint_pooling(request.folder)
    if named in possible:
        return PoolingChoice(str(named), "checkpoint")
    if len(rows) < MIN_CHOICE_ROWS or hasattr(model.config, "classifier_pooling"):
        return PoolingChoice("model", "too few rows to choose")
    generator = torch.Generator().manual_seed(0)
    labels = some_labels(rows.targets, rows.kind, layer.out_features)
    sample = torch.randperm(len(rows), generator=generator)
    if labels is not None:
        sample = sample[rows_with(rows.targets, rows.kind, labels)[sample]]
    sample = sample[:POOLING_ROWS]
    dataset = request.dataset.select(rows.positions[sample].tolist())
    by_pooling = token_features(model, layer, dataset, request.collator)
    targets = rows.targets[sample]
    choices = {}
    for name in possible:
        examples = Examples(by_pooling[name], targets, rows.kind, layer.out_features)
        choices[name] = choose_c(with_row_targets(examples, dataset))
    return PoolingChoice(
        min(choices, key=lambda name: choices[name].lowest),
        "validation",
        {f"pooling {name}": choice.losses for name, choice in choices.items()},
    )


def pooling_by_name(
    model: PreTrainedModel, pooling: str, model_args: dict[str, Any]
) -> PoolingChoice:
    """Return the pooling that was asked for; for ``auto``, the first that the model can compute.

    Raises:
        ConfigError: the model's class cannot compute it.
    """
    possible = possible_poolings(model, model_args)
    installed = installed_pooling(model)
    if pooling == "auto" or (pooling == "model" and installed):
        return PoolingChoice(possible[0], "the base model" if installed else "the only one")
    if pooling not in possible:
        raise ConfigError(
            f"pooling={pooling!r} is not available for a {type(model).__name__}, which can compute "
            f"{', '.join(possible)}. Use pooling='auto' to let clx choose."
        )
    return PoolingChoice(pooling, "option")
