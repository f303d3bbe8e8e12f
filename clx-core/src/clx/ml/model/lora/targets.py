"""Which layers of a model an adapter changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.problems import did_you_mean, names

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

ALL_LINEAR = "all-linear"

ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
"""How architectures call the modules that hold the layers of an attention."""

MAX_NAMES = 20
"""The most names of layers that a message lists."""


def chosen_layers(
    model: PreTrainedModel, settings: Mapping[str, Any], left_out: Iterable[str]
) -> list[str]:
    """Return the names of the linear layers that an adapter changes, in the model's order.

    Args:
        model: the model, with its pooling and its head.
        settings: the entries of ``lora``.
        left_out: the names of modules that are trained whole or not at all.

    Raises:
        ConfigError: the model has no such layer.
    """
    layers = [
        name for name in _linear_layers(model) if not any(is_within(name, out) for out in left_out)
    ]
    wanted = settings.get("target_modules")
    found = _default(model, layers) if wanted is None else _matching(model, layers, wanted)
    excluded = settings.get("exclude_modules") or ()
    found = [name for name in found if not any(_ends_with(name, each) for each in excluded)]
    numbers = settings.get("layers_to_transform")
    if numbers is not None:
        kept = {numbers} if isinstance(numbers, int) else {*numbers}
        found = [name for name in found if _number(name) in kept]
    if not found:
        raise ConfigError(
            f"lora: exclude_modules and layers_to_transform leave no layer of the "
            f"{type(model).__name__} to adapt"
        )
    return found


def is_within(name: str, module: str) -> bool:
    """Return whether a name belongs to a module or to a part of it."""
    return name == module or name.startswith(f"{module}.")


def has_transposed_weights(model: nn.Module, layers: Iterable[str]) -> bool:
    """Return whether the layers keep their weights with inputs first, as those of GPT-2 do."""
    return any(type(model.get_submodule(name)).__name__ == "Conv1D" for name in layers)


def _linear_layers(model: PreTrainedModel) -> list[str]:
    import torch
    from transformers.pytorch_utils import Conv1D

    kinds = (torch.nn.Linear, Conv1D)
    return [name for name, module in model.named_modules() if isinstance(module, kinds)]


def _default(model: PreTrainedModel, layers: list[str]) -> list[str]:
    """Return the layers that PEFT adapts in this architecture, else all linear layers of attention."""
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as BY_TYPE

    known = BY_TYPE.get(model.config.model_type, ())
    found = _named(layers, known)
    found = found or [name for name in layers if ATTENTION.search(name.rpartition(".")[0])]
    if not found:
        raise ConfigError(
            f"lora: clx does not know which layers of a {type(model).__name__} to adapt, because none "
            f"of its linear layers belongs to an attention. Name them with "
            f"lora={{'target_modules': [...]}}. {_what_there_is(layers)}"
        )
    return found


def _matching(model: PreTrainedModel, layers: list[str], wanted: Any) -> list[str]:
    if wanted == ALL_LINEAR:
        return layers
    there = [] if isinstance(wanted, str) else wanted
    missing = [name for name in there if not _named(layers, [name])]
    found = _named(layers, wanted)
    if missing or not found:
        known = dict.fromkeys(name.rpartition(".")[2] for name in layers)
        hint = did_you_mean(missing[0], known) if missing else ""
        what = names(missing) if missing else repr(wanted)
        raise ConfigError(
            f"lora: target_modules has {what}, which no linear layer of the {type(model).__name__} "
            f"matches{hint or '.'} {_what_there_is(layers)}"
        )
    return found


def _named(layers: list[str], wanted: Any) -> list[str]:
    """Return the layers that a regular expression matches as a whole, or that end with a listed name."""
    if isinstance(wanted, str):
        try:
            pattern = re.compile(wanted)
        except re.error as error:
            raise ConfigError(
                f"lora: target_modules is not a regular expression: {wanted!r} ({error})"
            ) from error
        return [name for name in layers if pattern.fullmatch(name)]
    return [name for name in layers if any(_ends_with(name, each) for each in wanted)]


def _ends_with(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def _number(name: str) -> int | None:
    """Return the number of the layer that a module is part of, None if it has none."""
    numbers = [part for part in name.split(".") if part.isdecimal()]
    return int(numbers[0]) if numbers else None


def _what_there_is(layers: list[str]) -> str:
    ends = list(dict.fromkeys(name.rpartition(".")[2] for name in layers))
    more = f" and {len(ends) - MAX_NAMES} more" if len(ends) > MAX_NAMES else ""
    return f"Its linear layers are called {names(ends[:MAX_NAMES])}{more}."
