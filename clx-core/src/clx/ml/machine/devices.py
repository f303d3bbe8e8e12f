"""Choosing the device for training and prediction."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from clx.errors import ClxWarning, ConfigError
from clx.ml.machine.distributed import process_count
from clx.ml.machine.forks import ready_after_fork
from clx_runtime.callers import user_level


def trains_on_cpu(device: Any, arguments: Mapping[str, Any]) -> bool:
    """Return whether a training runs on the CPU, by choice or because there is no accelerator.

    transformers must be told: otherwise it refuses bf16 on a machine without a GPU.

    Args:
        device: the run's ``device`` option, None for the best available device.
        arguments: the training arguments.
    """
    if str(device).split(":")[0] == "cpu" or arguments.get("use_cpu"):
        return True
    import torch
    from transformers.utils import is_torch_xla_available

    # accelerate uses a TPU, which torch does not count as an accelerator (untested).
    return not (torch.accelerator.is_available() or is_torch_xla_available())


def choose_device(wanted: str | None, stored: bool = False) -> Any:
    """Return the torch device to predict on.

    Args:
        wanted: a device such as ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; None for the best available.
        stored: whether ``wanted`` comes from a saved config, perhaps of another machine. A device
            that this machine lacks is then replaced with a warning.

    Raises:
        ConfigError: this machine has no such device, and ``stored`` is false.
    """
    import torch

    best = "cuda" if torch.cuda.is_available() else "cpu"
    if best == "cpu" and torch.backends.mps.is_available():
        best = "mps"
    if wanted is None:
        ready_after_fork(best)
        return torch.device(best)
    try:
        ready_after_fork(torch.device(wanted).type)
        device = torch.device(wanted)
        # Copying fails for the meta device, which holds no numbers.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        message = f"The device {wanted!r} cannot be used here ({str(error).splitlines()[0]})"
        if not stored:
            raise ConfigError(f"{message}; use device={best!r}") from error
        warnings.warn(f"{message}; using {best!r}", ClxWarning, stacklevel=user_level())
        return torch.device(best)
    return device


def training_gpu(wanted: str | None) -> Any:
    """Return the GPU that a training has to use, None if the Trainer chooses.

    By default, the Trainer uses the first GPU or all of them. With ``torchrun``, each process has
    its own GPU.

    Args:
        wanted: the run's ``device`` option. Only a GPU with a number, such as ``cuda:1``, is a choice.
    """
    kind, _, number = str(wanted).partition(":")
    if kind != "cuda" or not number.isdecimal() or process_count() > 1:
        return None
    import torch

    # A saved run may name a GPU that only another machine has.
    return torch.device(str(wanted)) if int(number) < torch.cuda.device_count() else None
