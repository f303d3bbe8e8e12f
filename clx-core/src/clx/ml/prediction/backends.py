"""The names of the backends: torch, and those for a run that was exported."""

from __future__ import annotations

from typing import Any

from clx.errors import ConfigError
from clx.problems import cell, did_you_mean

TORCH = "torch"
BACKENDS = (TORCH, "onnx", "onnx-int8", "openvino", "openvino-int8")


def check_backend(backend: Any) -> str:
    """Return the name of a backend; None means ``torch``.

    Raises:
        ConfigError: there is no such backend.
    """
    if backend is None:
        return TORCH
    if backend not in BACKENDS:
        raise ConfigError(
            f"backend must be one of {', '.join(BACKENDS)}, but is {cell(backend)}"
            f"{did_you_mean(str(backend), BACKENDS)}"
        )
    return str(backend)
