"""Check that the saved model, loaded by plain transformers, scores like the model in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.errors import ModelError
from clx.ml.model.head.layer import model_batches

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

ROWS = 16
LIMIT = 1e-3


def score_difference(
    model: PreTrainedModel,
    folder: Path,
    rows: Dataset,
    collator: Callable[[list[dict[str, Any]]], Any],
) -> float:
    """Return the largest difference in a probability between the saved model and the one in memory.

    Args:
        model: the model in memory, in evaluation mode.
        folder: the folder that ``save_pretrained`` wrote.
        rows: tokenized rows, of which a sample is predicted.
        collator: combines rows into a batch.

    Raises:
        ModelError: the difference is larger than rounding explains.
    """
    loaded = type(model).from_pretrained(folder, local_files_only=True, use_safetensors=True)
    loaded.to(model.device).eval()
    sample = rows.select(range(0, len(rows), max(1, len(rows) // ROWS)))
    largest = 0.0
    with torch.no_grad():
        for _, fed in model_batches(model, sample, collator):
            both = [_probabilities(each(**fed).logits, model) for each in (model, loaded)]
            largest = max(largest, float((both[0] - both[1]).abs().max()))
    if not largest <= LIMIT:
        raise ModelError(
            f"The saved model does not score like the trained model: a probability differs by "
            f"{largest:.2g}. Train with pooling='model', and please report the base model"
        )
    return largest


def _probabilities(logits: torch.Tensor, model: PreTrainedModel) -> torch.Tensor:
    if model.config.problem_type == "regression":
        return logits.float()
    if model.config.problem_type == "multi_label_classification":
        return logits.float().sigmoid()
    return logits.float().softmax(dim=-1)
