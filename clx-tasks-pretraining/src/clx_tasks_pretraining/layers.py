"""Keep some of a model's layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

_NAMES = ("num_hidden_layers", "n_layers", "num_layers", "n_layer")
"""The names that configurations use for the number of layers."""


def cut_layers(model: PreTrainedModel, layers: int | None) -> None:
    """Keep evenly spaced layers of a model, the first and the last among them.

    Args:
        model: the model, which is changed.
        layers: how many layers to keep; None keeps half of them, rounded up.

    Raises:
        ConfigError: the model has fewer layers, or its layers cannot be found.
    """
    name = next((each for each in _NAMES if isinstance(getattr(model.config, each, None), int)), "")
    stack, total = _stack(model, getattr(model.config, name, 0))
    if stack is None:
        raise ConfigError(
            f"The layers of {type(model).__name__} cannot be found, so student_layers cannot choose "
            f"among them: describe the student with model_args={{'config': {{...}}}}"
        )
    kept = (total + 1) // 2 if layers is None else layers
    if kept > total:
        raise ConfigError(f"student_layers is {kept}, but the base model has {total} layers")
    places = [round(n * (total - 1) / max(1, kept - 1)) for n in range(kept)]
    chosen = [stack[place] for place in places]
    del stack[:]
    stack.extend(chosen)
    setattr(model.config, name, kept)


def _stack(model: PreTrainedModel, total: int) -> tuple[nn.ModuleList | None, int]:
    """Return the list of a model's layers, and their number."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.ModuleList) and total and len(module) == total:
            return module, total
    return None, total
