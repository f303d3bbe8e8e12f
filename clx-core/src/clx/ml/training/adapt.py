"""``lora``: put an adapter into the model before the fine-tuning, and merge it afterwards."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer

from clx.errors import ClxWarning
from clx.ml.machine.memory import CHECKPOINTING
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.layer import evaluating, model_batches
from clx.ml.model.lora.adapter import Adapter, add_adapter
from clx.ml.model.lora.files import AdapterFiles, files_of
from clx.ml.task.lora_options import lora_settings, uses_lora
from clx.ml.trainer.trainer import sample_of
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.model.head.initialize import Head
    from clx.ml.training.job import Job

LORA = "lora"
"""The entry in the results about the adapter."""

ROWS = 16
"""Rows that are scored before and after the adapter is merged."""

LARGE = 1e-3
"""A difference of a score, relative to the largest one, that rounding to fp32 does not explain."""


def adapt(job: Job, trainer: Trainer, head: Head) -> Adapter | None:
    """Put the adapter that the task asks for into the Trainer's model; return None if there is none.

    Raises:
        ConfigError: the model has no layers to adapt.
    """
    if not uses_lora(job.task):
        return None
    model = trainer.model
    with quiet_transformers():
        adapter = add_adapter(model, lora_settings(job.task), head.layer, job.base)
    if _checkpoints_activations(job):
        # Otherwise no gradient reaches the adapter: the inputs of its layers come from frozen weights.
        model.enable_input_require_grads()
    trainer.trained_weights = adapter.trained
    return adapter


def _checkpoints_activations(job: Job) -> bool:
    return any(job.arguments.get(name) for name in CHECKPOINTING)


def settle(
    job: Job, adapter: Adapter, published: bool
) -> tuple[dict[str, Any], AdapterFiles | None]:
    """Merge an adapter into its model, or remove it; the model is a plain one afterwards.

    Args:
        job: the training.
        adapter: the adapter within the model.
        published: whether the model is published; else the adapter is removed.

    Returns:
        The entry of the results, and what the adapter's files are written from, None if the task
        wants none.
    """
    config, model = adapter.config, adapter.model
    notes: dict[str, Any] = {
        "r": config.r,
        "lora_alpha": config.lora_alpha,
        "layers": sorted({name.rpartition(".")[2] for name in adapter.layers}),
        **adapter.size(),
    }
    if _checkpoints_activations(job):
        model.disable_input_require_grads()
    if not published:
        adapter.remove()
        return notes, None
    files = None if job.task.lora_merge else files_of(adapter)
    before = _scores(job, model)
    adapter.merge()
    after = _scores(job, model)
    if before is not None and after is not None:
        difference, largest = float((before - after).abs().max()), float(before.abs().max())
        notes["merge_difference"] = difference
        if difference > LARGE * max(1.0, largest):
            warnings.warn(
                f"Merging the adapter changed a score by {difference:.2g}, because the weights are "
                f"{str(model.dtype).removeprefix('torch.')}. The metrics are those of the merged model; "
                f"lora_merge=False also keeps the adapter itself",
                ClxWarning,
                stacklevel=user_level(),
            )
    return notes, files


def _scores(job: Job, model: PreTrainedModel) -> torch.Tensor | None:
    """Return the logits of a few training rows, None if the model has none for its inputs alone."""
    rows = sample_of(job.train.dataset, ROWS)
    found = []
    try:
        with evaluating(model):
            for _, batch in model_batches(model, rows, job.task.load_data_collator()):
                found.append(model(**batch).logits.float().cpu().flatten())
    except Exception:
        return None
    return torch.cat(found)
