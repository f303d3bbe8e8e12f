"""The Trainer of the task: its evaluations say which characters each token stands for.

``label_ids`` of an evaluation has the shape (windows, tokens, 4): the label id of a token, the first
character of its unit, the character after it, and the number of the window in its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import Trainer

from clx.ml.spans import IGNORED

STARTS, ENDS, WINDOW = "starts", "ends", "window"
PLACES = (STARTS, ENDS, WINDOW)


class SpanCollator:
    """Makes batches for the model, without the places of tokens unless they are asked for.

    Args:
        collator: makes the batches of what the model reads.
        padding_side: the side on which it pads.
        with_places: whether to add the places of the tokens.
    """

    def __init__(self, collator: Any, padding_side: str, with_places: bool = False) -> None:
        self.collator = collator
        self.padding_side = padding_side
        self.with_places = with_places

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Return a batch of rows."""
        batch = self.collator([{k: v for k, v in row.items() if k not in PLACES} for row in rows])
        if self.with_places and all(name in row for row in rows for name in PLACES):
            size = batch["input_ids"].shape[1]
            for name in (STARTS, ENDS):
                batch[name] = torch.tensor([self._padded(row[name], size) for row in rows])
            batch[WINDOW] = torch.tensor([row[WINDOW] for row in rows])
        return batch

    def _padded(self, values: Sequence[int], size: int) -> list[int]:
        fill = [IGNORED] * (size - len(values))
        return [*fill, *values] if self.padding_side == "left" else [*values, *fill]


class SpanTrainer(Trainer):  # type: ignore[misc]
    """A Trainer whose evaluations return the places of tokens with the label ids."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own: Any = self.data_collator
        if isinstance(own, SpanCollator):
            self.data_collator: Any = SpanCollator(own.collator, own.padding_side, with_places=True)

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Train on a batch; the model does not read places."""
        own, _ = _without_places(inputs)
        return super().training_step(model, own, *args, **kwargs)

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> Any:
        """Return the loss, the logits, and the label ids with the places of their tokens."""
        own, places = _without_places(inputs)
        step = super().prediction_step
        loss, logits, labels = step(model, own, prediction_loss_only, ignore_keys=ignore_keys)
        if labels is None or not places:
            return loss, logits, labels
        starts, ends, window = (places[name].to(labels) for name in PLACES)
        window = window[:, None].expand_as(labels)
        return loss, logits, torch.stack([labels, starts, ends, window], dim=-1)


def _without_places(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs of the model, and the places."""
    own = {name: value for name, value in inputs.items() if name not in PLACES}
    return own, {name: inputs[name] for name in PLACES if name in inputs}
