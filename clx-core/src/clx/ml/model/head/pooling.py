"""Pooling: how the vectors of a text's tokens become the one vector that a head reads.

Checkpoints of sentence-transformers were trained with the mean of all tokens. Their
``…ForSequenceClassification`` class does not compute it: it reads the first token through a pooler that
was never trained. This module writes the mean into the weights of that class, so that plain
transformers computes it:

1. An additional encoder layer attends to all tokens alike, because its query and key weights are zero.
2. It multiplies the values by a large factor. Next to them the residual is negligible, so the LayerNorm
   sees only the mean. The feed-forward part is zero.
3. The pooler is a small multiple of the identity, for which its activation is linear.

The head then reads the normalized mean.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.task.option_checks import POOLINGS
from clx_runtime.files import read_json_or_empty

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MARK = "clx_pooling"
"""The key in the model's config that names the pooling in its weights."""

VALUE_SCALE = 1000.0
POOLER_SCALE = 0.1
RELU_OFFSET = 3.0


@dataclass(frozen=True)
class _Family:
    """The parts of a model class, as attribute paths.

    Attributes:
        layers: the encoder's layers.
        count: the key of the config that holds the number of layers.
        pooler: the square linear layer between the first token and the head.
        offset: the pooler's bias, with which its activation is linear (0 for tanh).
        attention: query, key, value and output projection within a layer, and its LayerNorm.
        feed_forward: both linear layers within a layer, and their LayerNorm.
    """

    layers: str
    count: str
    pooler: str
    offset: float
    attention: tuple[str, str, str, str, str]
    feed_forward: tuple[str, str, str]


_BERT_ATTENTION = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
)
_BERT_FEED_FORWARD = ("intermediate.dense", "output.dense", "output.LayerNorm")


def _bert_like(prefix: str, pooler: str) -> _Family:
    layers = f"{prefix}.encoder.layer"
    return _Family(layers, "num_hidden_layers", pooler, 0.0, _BERT_ATTENTION, _BERT_FEED_FORWARD)


FAMILIES = {
    "BertForSequenceClassification": _bert_like("bert", "bert.pooler.dense"),
    "RobertaForSequenceClassification": _bert_like("roberta", "classifier.dense"),
    "XLMRobertaForSequenceClassification": _bert_like("roberta", "classifier.dense"),
    "CamembertForSequenceClassification": _bert_like("roberta", "classifier.dense"),
    "DistilBertForSequenceClassification": _Family(
        "distilbert.transformer.layer",
        "n_layers",
        "pre_classifier",
        RELU_OFFSET,
        (
            "attention.q_lin",
            "attention.k_lin",
            "attention.v_lin",
            "attention.out_lin",
            "sa_layer_norm",
        ),
        ("ffn.lin1", "ffn.lin2", "output_layer_norm"),
    ),
}
"""The classes that can hold ``mean`` and ``cls`` in their weights."""


def checkpoint_pooling(folder: Path) -> str | None:
    """Return the pooling that a sentence-transformers checkpoint names, None if it names none.

    Other poolings, such as the maximum and weighted means, give None too: no stock class computes them.
    """
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        place = next(m["path"] for m in modules if str(m["type"]).endswith("Pooling"))
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        place = "1_Pooling"
    if not isinstance(place, str) or Path(place).is_absolute() or ".." in Path(place).parts:
        return None
    config = read_json_or_empty(folder / place / "config.json")
    modes = {key for key, on in config.items() if key.startswith("pooling_mode_") and on is True}
    named = config.get("pooling_mode")
    if modes == {"pooling_mode_mean_tokens"} or (not modes and named == "mean"):
        return "mean"
    if modes == {"pooling_mode_cls_token"} or (not modes and named == "cls"):
        return "cls"
    return None


def installed_pooling(model: PreTrainedModel) -> str | None:
    """Return the pooling in the weights of a model that clx saved, None for other models."""
    pooling = getattr(model.config, MARK, None)
    return pooling if pooling in POOLINGS and type(model).__name__ in FAMILIES else None


def pooling_of(model: PreTrainedModel) -> str:
    """Return the pooling that a model computes, ``model`` for that of its class."""
    installed = installed_pooling(model) or getattr(model.config, "classifier_pooling", None)
    return str(installed or "model")


def pooling_modules(model: PreTrainedModel) -> list[str]:
    """Return the names of the modules whose weights hold the model's pooling, often none."""
    pooling = installed_pooling(model)
    if pooling is None:
        return []
    family = FAMILIES[type(model).__name__]
    layers: Any = model.get_submodule(family.layers)
    last = [f"{family.layers}.{len(layers) - 1}"] if pooling == "mean" else []
    return [family.pooler, *last]


def possible_poolings(model: PreTrainedModel, model_args: dict[str, Any]) -> tuple[str, ...]:
    """Return the poolings that the model's class can compute; ``model`` is always the first.

    With a number of layers in ``model_args``, there is only ``model``: the number would apply to the
    saved model again and remove the layer that pools.
    """
    if installed := installed_pooling(model):
        return (installed,)
    if hasattr(model.config, "classifier_pooling"):
        return ("model", "mean", "cls")
    family = FAMILIES.get(type(model).__name__)
    if family is None or family.count in model_args or getattr(model.config, "is_decoder", False):
        return ("model",)
    if getattr(model.config, "position_embedding_type", None) not in (None, "absolute"):
        return ("model", "cls")
    return ("model", "mean", "cls")


def install_pooling(model: PreTrainedModel, pooling: str) -> None:
    """Give the model one of its possible poolings; the weights for it are frozen, without dropout."""
    if pooling == "model":
        return
    if hasattr(model.config, "classifier_pooling"):
        model.config.classifier_pooling = pooling
        return
    family = FAMILIES[type(model).__name__]
    if installed_pooling(model) is None:
        with torch.no_grad():
            if pooling == "mean":
                _add_mean_layer(model, family)
            _make_linear(model.get_submodule(family.pooler), family.offset)
        setattr(model.config, MARK, pooling)
    _freeze(model, family)


def layers_without_pooling(model: PreTrainedModel) -> dict[str, int]:
    """Return the ``model_args`` that leave a saved pooling out, ``{}`` if nothing is to be left out.

    The layer of the mean gives all tokens the same vector, so a model of another class, such as one
    that scores tokens, cannot start from it.
    """
    if getattr(model.config, MARK, None) != "mean" or type(model).__name__ in FAMILIES:
        return {}
    for key in dict.fromkeys(family.count for family in FAMILIES.values()):
        if isinstance(count := getattr(model.config, key, None), int):
            return {key: count - 1}
    return {}


def forget_pooling(model: PreTrainedModel) -> None:
    """Remove the mark of a pooling that is not in the model's weights."""
    if hasattr(model.config, MARK):
        delattr(model.config, MARK)


def _add_mean_layer(model: PreTrainedModel, family: _Family) -> None:
    layers: Any = model.get_submodule(family.layers)
    layer = copy.deepcopy(layers[-1])
    query, key, value, output, norm = (layer.get_submodule(name) for name in family.attention)
    for linear in (query, key):
        linear.weight.zero_()
        linear.bias.zero_()
    _identity(value, 1.0)
    _identity(output, VALUE_SCALE)
    first, second, last_norm = (layer.get_submodule(name) for name in family.feed_forward)
    for linear in (first, second):
        linear.weight.zero_()
        linear.bias.zero_()
    for each in (norm, last_norm):
        each.weight.fill_(1.0)
        each.bias.zero_()
    for module in layer.modules():
        if hasattr(module, "layer_idx"):
            module.layer_idx = len(layers)
    layers.append(layer)
    count = len(layers)
    setattr(model.config, family.count, count)
    holder = model.get_submodule(family.layers.rpartition(".")[0])
    if hasattr(holder, "n_layers"):
        holder.n_layers = count


def _identity(linear: Any, scale: float) -> None:
    linear.weight.copy_(torch.eye(len(linear.weight)) * scale)
    linear.bias.zero_()


def _make_linear(linear: Any, offset: float) -> None:
    _identity(linear, POOLER_SCALE)
    linear.bias.fill_(offset)


def _freeze(model: PreTrainedModel, family: _Family) -> None:
    """Exclude the pooling's weights from training, which would make the features worse."""
    for part in map(model.get_submodule, pooling_modules(model)):
        part.requires_grad_(False)
        for module in part.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
    if family.offset:
        # Dropout would scale the offset.
        model.dropout.p = 0.0
