"""The Trainer's arguments, for the device of the run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from clx.ml.machine.devices import training_gpu

_DEVICE = "ACCELERATE_TORCH_DEVICE"


class OnOneGpu:
    """Mixed into arguments for one GPU of several; by default, the first one or all of them count."""

    gpu: Any = None

    @property
    def device(self) -> torch.device:
        """The device of the training."""
        chosen: torch.device = self.gpu or super().device  # type: ignore[misc]
        return chosen

    @property
    def n_gpu(self) -> int:
        """The number of GPUs that the training uses."""
        return 1


def training_arguments(
    device: str | None,
    output_dir: Path,
    arguments: Mapping[str, Any],
    kind: type[TrainingArguments] = TrainingArguments,
) -> TrainingArguments:
    """Return the arguments of a Trainer.

    Args:
        device: the run's ``device`` option.
        output_dir: the folder of checkpoints.
        arguments: the complete training arguments, except ``output_dir``.
        kind: the class of the arguments.
    """
    gpu = None if arguments.get("use_cpu") else training_gpu(device)
    if gpu is None:
        return kind(output_dir=str(output_dir), **arguments)
    # accelerate moves batches to the device, and reads this variable when it is set up.
    before = os.environ.get(_DEVICE)
    os.environ[_DEVICE] = str(gpu)
    try:
        placed = type(kind.__name__, (OnOneGpu, kind), {})(output_dir=str(output_dir), **arguments)
    finally:
        del os.environ[_DEVICE]
        if before is not None:
            os.environ[_DEVICE] = before
    placed.gpu = gpu
    torch.cuda.set_device(gpu)
    return placed
