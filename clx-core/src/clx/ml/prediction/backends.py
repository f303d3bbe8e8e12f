"""The names of the backends: torch, and those for a run that was exported."""

from __future__ import annotations

from typing import Any

from clx.errors import ConfigError
from clx.problems import cell, did_you_mean
from clx_runtime.cascade import CASCADE

TORCH = "torch"
BACKENDS = (TORCH, "onnx", "onnx-int8", "openvino", "openvino-int8")
"""The backends that compute with the run's own model."""

_ALL = (*BACKENDS, CASCADE)


def check_backend(backend: Any) -> str:
    """Return the name of a backend; None means ``torch``.

    Raises:
        ConfigError: there is no such backend.
    """
    if backend is None:
        return TORCH
    if backend not in _ALL:
        raise ConfigError(
            f"backend must be one of {', '.join(_ALL)}, but is {cell(backend)}"
            f"{did_you_mean(str(backend), _ALL)}"
        )
    return str(backend)
