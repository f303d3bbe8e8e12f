"""Evaluation gathers the outputs that metrics read, and leaves out the model's internal states."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from transformers.utils import ModelOutput

INTERNAL = ("hidden_state", "attentions", "past_", "router_")
"""Parts of the names of outputs that are internal states, such as ``encoder_last_hidden_state``."""

INTERNAL_NAMES = frozenset({"mems", "pooler_output"})


class ScoresOnly:
    """A mixin for a task's Trainer.

    BART and T5 return the states of their encoder besides the logits, and any model returns its
    hidden states if its config asks for them. For all rows, these need many times the memory of the
    logits. A task whose metrics need them passes ``ignore_keys=[]`` in its Trainer's
    ``prediction_step``.
    """

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate, and gather scores only, unless the caller says which outputs to ignore."""
        if kwargs.get("ignore_keys") is None:
            kwargs["ignore_keys"] = internal_outputs(self.model)  # type: ignore[attr-defined]
        return super().evaluation_loop(*args, **kwargs)  # type: ignore[misc]


def internal_outputs(model: Any) -> list[str]:
    """Return the names of the outputs that are internal states of any model loaded so far."""
    own = getattr(getattr(model, "config", None), "keys_to_ignore_at_inference", None) or ()
    names = {
        field.name
        for kind in _subclasses(ModelOutput)
        if dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
    }
    return sorted({*own, *(name for name in names if is_internal(name))})


def is_internal(name: str) -> bool:
    """Return whether an output of this name is an internal state of a model and not a score."""
    return name in INTERNAL_NAMES or any(part in name for part in INTERNAL)


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
