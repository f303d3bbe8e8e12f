"""A LoRA adapter within a model: PEFT adds it, the Trainer trains it, and it is merged at the end.

The model stays the same object of the same class, so that everything else works as without an adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.errors import ConfigError
from clx.ml.model.head.pooling import pooling_modules
from clx.ml.model.lora.targets import chosen_layers, has_transposed_weights, is_within
from clx.ml.run_directory.safe_weights import weight_shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn
    from transformers import PreTrainedModel

NAME = "default"
"""PEFT's name for the only adapter of a model."""

POOLER = "pooler"
NOT_OF_PEFT = frozenset({"target_modules", "exclude_modules", "layers_to_transform"})
"""Entries of ``lora`` from which clx itself chooses the layers."""


@dataclass
class Adapter:
    """An adapter within a model.

    Attributes:
        model: the model.
        tuner: the object of PEFT that added the adapter.
        config: PEFT's configuration of the adapter.
        whole: the names of the modules that an adapter of the base model must contain whole: the
            head, and what holds the pooling.
        layers: the names of the layers that the adapter changes.
    """

    model: PreTrainedModel
    tuner: Any
    config: Any
    whole: list[str]
    layers: list[str]

    @property
    def trained(self) -> list[str]:
        """The names of all weights that the training changes, those of the head included."""
        return [name for name, weight in self.model.named_parameters() if weight.requires_grad]

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the adapter's own weights, under the names that PEFT gives them in files."""
        return {
            name.replace(f".{NAME}", ""): weight.detach().cpu().clone().contiguous()
            for name, weight in self.model.named_parameters()
            if self.tuner.prefix in name
        }

    def size(self) -> dict[str, int]:
        """Return the number of trained weights, and of all weights of the model with the adapter."""
        weights = [(weight.numel(), weight.requires_grad) for weight in self.model.parameters()]
        return {
            "trained_weights": sum(count for count, trained in weights if trained),
            "weights": sum(count for count, _ in weights),
        }

    def merge(self) -> None:
        """Add the adapter's changes to the model's weights, and remove the adapter."""
        self.tuner.merge_and_unload()

    def remove(self) -> None:
        """Remove the adapter and its changes from the model."""
        self.tuner.unload()


def add_adapter(
    model: PreTrainedModel, settings: Mapping[str, Any], head: nn.Module | None, base: Path
) -> Adapter:
    """Put an adapter into a model that has its pooling and its head; only it and the head are trained.

    Args:
        model: the model, changed in place. Its scores stay the same.
        settings: the entries of ``lora``, complete.
        head: the layer that computes the scores, None if it is not known.
        base: the folder of the base model.

    Raises:
        ConfigError: the model has no layers to adapt, or nothing that can be its head.
    """
    from peft import LoraConfig, LoraModel

    trained = _trained_whole(model, head, base)
    whole = _outermost([*trained, *pooling_modules(model)])
    layers = chosen_layers(model, settings, whole)
    config = LoraConfig(
        target_modules=layers,
        fan_in_fan_out=has_transposed_weights(model, layers),
        **{name: value for name, value in settings.items() if name not in NOT_OF_PEFT},
    )
    # The pooling stays as it is: its weights, which may be part of the head, are not trained.
    also = [
        weight
        for name, weight in model.named_parameters()
        if weight.requires_grad and any(is_within(name, module) for module in trained)
    ]
    tuner = LoraModel(model, config, NAME)
    for name, weight in model.named_parameters():
        if tuner.prefix in name and weight.dtype in (torch.float16, torch.bfloat16):
            # Half precision rounds small updates away, and the adapter is small.
            weight.data = weight.data.float()
    for weight in also:
        weight.requires_grad_(True)
    return Adapter(model, tuner, config, whole, layers)


def _trained_whole(model: PreTrainedModel, head: nn.Module | None, base: Path) -> list[str]:
    """Return the names of the modules that are trained whole: the head, and what the base lacks."""
    inner = model.base_model
    found = [name for name, module in model.named_modules() if head is not None and module is head]
    if inner is not model:
        outside = [name for name, child in model.named_children() if child is not inner]
        found += [name for name in outside if any(True for _ in _weights(model, name))]
    if not found:
        raise ConfigError(
            f"lora cannot be used with the model {type(model).__name__}: clx finds no linear layer that "
            f"computes its scores, and would train the adapter under a head of random numbers"
        )
    pooler = f"{model.base_model_prefix}.{POOLER}"
    has_pooler = inner is not model and any(True for _ in _weights(inner, POOLER))
    if has_pooler and not any(POOLER in name for name in weight_shapes(base)):
        found.append(pooler)
    return _outermost(found)


def _weights(model: nn.Module, name: str) -> Any:
    module = getattr(model, name, None)
    return module.parameters() if isinstance(module, torch.nn.Module) else ()


def _outermost(modules: list[str]) -> list[str]:
    """Return the names without those of modules within another one."""
    modules = list(dict.fromkeys(modules))
    return [
        name
        for name in modules
        if not any(name != other and is_within(name, other) for other in modules)
    ]
