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

IGNORED = -100
"""The label of a token that the loss leaves out."""


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
        order, logits, losses, weights = [], [], [], []
        for length in lengths.unique().tolist():
            rows = (lengths == length).nonzero().flatten()
            group = {name: _cut(value, rows, width, length, side) for name, value in inputs.items()}
            output = forward(*args, **group)
            order.append(rows)
            logits.append(_widened(output.logits, length, width, side))
            if output.get("loss") is not None:
                losses.append(output.loss)
                weights.append(_loss_weight(group.get("labels"), len(rows), length))
        back = torch.cat(order).argsort()
        loss = _weighted_mean(losses, weights)
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
    # Models view labels of tokens as one row of numbers.
    return (some[:, :length] if side == "right" else some[:, width - length :]).contiguous()


def _loss_weight(labels: Any, rows: int, length: int) -> float:
    """Return over how much a model's loss is a mean: labeled tokens, or rows."""
    of_tokens = isinstance(labels, torch.Tensor) and labels.shape == (rows, length)
    if not of_tokens or labels.is_floating_point():
        return float(rows)
    return float((labels != IGNORED).sum())


def _weighted_mean(losses: list[torch.Tensor], weights: list[float]) -> torch.Tensor | None:
    """Return the mean of the losses of groups of rows, None if there are none."""
    # The loss of a group without a labeled token is not a number.
    counted = [(loss, weight) for loss, weight in zip(losses, weights, strict=True) if weight]
    if not counted:
        return losses[0] if losses else None
    total = sum(weight for _, weight in counted)
    return torch.stack([loss * (weight / total) for loss, weight in counted]).sum()


def _widened(logits: torch.Tensor, length: int, width: int, side: str) -> torch.Tensor:
    """Return logits of tokens, padded to the full length; logits of rows pass unchanged."""
    if logits.ndim < 3 or logits.shape[1] != length:
        return logits
    missing = width - length
    around = (0, missing) if side == "right" else (missing, 0)
    return torch.nn.functional.pad(logits, (0, 0, *around))
