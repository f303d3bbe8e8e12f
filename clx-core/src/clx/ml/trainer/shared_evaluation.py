"""The loss of an evaluation that several processes share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


class LossOfOwnRows:
    """A mixin for a task's Trainer.

    Several processes must have equally many rows in the last batch, and accelerate fills it with rows
    from the beginning. The Trainer drops their predictions, but a loss is the mean over a batch, which
    would include them: with 24 rows and batches of 32, a third of the loss would be of repeated rows.
    """

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> Any:
        """Return the loss of the batch without repeated rows, and the outputs of all its rows."""
        own = self._own_rows(inputs)
        step = super().prediction_step  # type: ignore[misc]
        loss, *outputs = step(model, inputs, prediction_loss_only, ignore_keys=ignore_keys)
        if loss is not None and own is not None:
            with self._mean_over_own_rows():
                loss, *_ = step(model, own, True, ignore_keys=ignore_keys)
        return (loss, *outputs)

    @contextmanager
    def _mean_over_own_rows(self) -> Iterator[None]:
        """Divide a loss by the rows of this process: the others do not take this step."""
        args = self.args  # type: ignore[attr-defined]
        before, args.average_tokens_across_devices = args.average_tokens_across_devices, False
        try:
            yield
        finally:
            args.average_tokens_across_devices = before

    def _own_rows(self, inputs: Any) -> dict[str, Any] | None:
        """Return the inputs without repeated rows, None if there are none or all are."""
        args, state = self.args, self.accelerator.gradient_state  # type: ignore[attr-defined]
        if args.world_size == 1 or not state.end_of_dataloader or state.remainder <= 0:
            return None
        rows = _row_count(inputs)
        kept = min(rows, max(0, state.remainder - args.process_index * rows))
        if kept in (0, rows):
            return None
        return {
            name: value[:kept] if isinstance(value, torch.Tensor) and len(value) == rows else value
            for name, value in inputs.items()
        }


def _row_count(inputs: Any) -> int:
    """Return the number of rows of a batch, 0 if it is unknown."""
    values = inputs.values() if isinstance(inputs, Mapping) else ()
    sizes = {len(value) for value in values if isinstance(value, torch.Tensor) and value.dim()}
    return sizes.pop() if len(sizes) == 1 else 0
