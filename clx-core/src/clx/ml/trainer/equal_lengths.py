"""A Trainer for a model in which padding changes a text's score: it splits batches by length.

The model's ``forward`` is replaced. Training, evaluation and a task's own loss still see one batch.
The collator passes on the lengths of its rows as an additional input.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Trainer
from transformers.modeling_outputs import SequenceClassifierOutput

from clx.ml.data.equal_lengths import needs_equal_lengths

LENGTHS = "clx_lengths"


def split_by_length(trainer: Trainer, side: str) -> None:
    """Let the Trainer compute rows of different lengths separately, if its model needs that.

    The caller restores the model's ``forward``.

    Args:
        trainer: the Trainer, with its model.
        side: the side of the padding.
    """
    model: Any = trainer.model
    if needs_equal_lengths(model):
        trainer.data_collator = _WithLengths(trainer.data_collator)
        model.forward = _split(model.forward, side)


@dataclass(frozen=True)
class _WithLengths:
    """A collator that adds the number of tokens of each row.

    Attributes:
        collator: the task's collator.
    """

    collator: Callable[[list[Any]], Any]

    def __call__(self, rows: list[Any]) -> Any:
        lengths = [len(row["input_ids"]) for row in rows if "input_ids" in row]
        batch = self.collator(rows)
        if len(lengths) == len(rows):
            batch[LENGTHS] = torch.tensor(lengths)
        return batch


def _split(forward: Callable[..., Any], side: str) -> Callable[..., Any]:
    """Return a ``forward`` that computes rows of different lengths separately."""

    @functools.wraps(forward)
    def split(*args: Any, **inputs: Any) -> Any:
        lengths = inputs.pop(LENGTHS, None)
        if lengths is None or len(lengths.unique()) == 1:
            return forward(*args, **inputs)
        width = inputs["input_ids"].shape[1]
        order, logits, losses = [], [], []
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero().flatten()
            group = {name: _cut(value, rows, width, length, side) for name, value in inputs.items()}
            output = forward(*args, **group)
            order.append(rows)
            logits.append(_widened(output.logits, length, width, side))
            if output.get("loss") is not None:
                losses.append(output.loss * len(rows) / len(lengths))
        back = torch.cat(order).argsort()
        # The loss of a model is a mean over the rows.
        loss: Any = sum(losses) if losses else None
        return SequenceClassifierOutput(loss=loss, logits=torch.cat(logits)[back])

    return split


def _cut(value: Any, rows: torch.Tensor, width: int, length: int, side: str) -> Any:
    """Return some rows of an input without their padding; other arguments pass unchanged."""
    if not isinstance(value, torch.Tensor) or not value.ndim:
        return value
    some = value[rows]
    # Floats are one label per class, and the number of classes may equal the number of tokens.
    if some.ndim < 2 or some.shape[1] != width or some.is_floating_point():
        return some
    return some[:, :length] if side == "right" else some[:, width - length :]


def _widened(logits: torch.Tensor, length: int, width: int, side: str) -> torch.Tensor:
    """Return logits of tokens, padded to the full length; logits of rows pass unchanged."""
    if logits.ndim < 3 or logits.shape[1] != length:
        return logits
    missing = width - length
    around = (0, missing) if side == "right" else (missing, 0)
    return torch.nn.functional.pad(logits, (0, 0, *around))
