"""Which device a run is predicted on and trained on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from clx.errors import ClxWarning, ConfigError


def trains_on_cpu(device: Any, arguments: Mapping[str, Any]) -> bool:
    """Return whether a training runs on the CPU: because it shall, or there is nothing else.

    Without being told, transformers refuses bf16 where there is no GPU.

    Args:
        device: as the run was given it, None for the best there is.
        arguments: for the Trainer.
    """
    if str(device).split(":")[0] == "cpu" or arguments.get("use_cpu"):
        return True
    import torch
    from transformers.utils import is_torch_xla_available

    # accelerate takes a TPU, which torch does not count as an accelerator (untried).
    return not (torch.accelerator.is_available() or is_torch_xla_available())


def choose_device(wanted: str | None, stored: bool = False) -> Any:
    """Return the torch device to predict on: the wanted one, else the best there is.

    Args:
        wanted: such as ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; None for the best.
        stored: whether the wish comes from a config of another machine and may be dropped.

    Raises:
        ConfigError: this machine has no such device.
    """
    import torch

    best = "cuda" if torch.cuda.is_available() else "cpu"
    if best == "cpu" and torch.backends.mps.is_available():
        best = "mps"
    if wanted is None:
        return torch.device(best)
    try:
        device = torch.device(wanted)
        # A meta tensor has no numbers to copy.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        message = f"The device {wanted!r} cannot be used here ({str(error).splitlines()[0]})"
        if not stored:
            raise ConfigError(f"{message}; device={best!r} can") from error
        warnings.warn(f"{message}; using {best!r}", ClxWarning, stacklevel=2)
        return torch.device(best)
    return device
