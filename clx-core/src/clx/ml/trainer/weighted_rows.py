"""Rows with weights and soft labels in a Trainer: they reach the loss, and not the model."""

from __future__ import annotations

from typing import Any

from clx.ml.data.row_targets import PROBABILITIES, TARGET_COLUMNS, WEIGHT


class WeightedRows:
    """Mixed into a task's Trainer.

    Attributes:
        batch_targets: the columns of the batch whose loss is computed: its ``weights`` and its
            ``probabilities``, each a tensor or None.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.batch_targets: dict[str, Any] = {}
        super().__init__(*args, **kwargs)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the loss, whose function finds the targets of the batch in ``batch_targets``."""
        found = {"weights": inputs.get(WEIGHT), "probabilities": inputs.get(PROBABILITIES)}
        self.batch_targets.update(found)
        if any(value is not None for value in found.values()):
            inputs = {name: each for name, each in inputs.items() if name not in TARGET_COLUMNS}
        return super().compute_loss(model, inputs, *args, **kwargs)  # type: ignore[misc]

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[misc]
        known = self._signature_columns  # type: ignore[has-type]
        self._signature_columns = [*known, *(c for c in TARGET_COLUMNS if c not in known)]
