"""The package that each backend needs, and its sessions."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from clx_runtime.onnx_session import OnnxSession
from clx_runtime.onnx_session import refuse_missing_device as refuse_in_onnxruntime
from clx_runtime.openvino_session import OpenVinoSession, refuse_other_device


def is_openvino(backend: str) -> bool:
    """Return whether a backend computes with OpenVINO."""
    return backend.startswith("openvino")


def installed(backends: Iterable[str]) -> list[str]:
    """Return the backends whose package is installed, in the same order."""
    return [
        backend
        for backend in backends
        if find_spec("openvino" if is_openvino(backend) else "onnxruntime") is not None
    ]


def open_session(
    backend: str, model: Path | bytes, device: str | None = None, threads: int | None = None
) -> OnnxSession | OpenVinoSession:
    """Return a session of the backend.

    Args:
        backend: one of ``settings.FILES``.
        model: the file of the model, or its content.
        device: as for a run.
        threads: the number of threads for one batch; None leaves it to the backend.

    Raises:
        MissingDependencyError: the backend's package is not installed.
        ConfigError: the device is not available.
    """
    if is_openvino(backend):
        return OpenVinoSession(model, device, threads)
    return OnnxSession(model, device, threads)


def refuse_missing_device(backend: str, device: str) -> None:
    """Raise if the backend cannot use the device here.

    Raises:
        MissingDependencyError: the backend's package is not installed.
        ConfigError: the device is not available.
    """
    if is_openvino(backend):
        refuse_other_device(device)
    else:
        refuse_in_onnxruntime(device)
