"""The names of the backends: torch, those for a run that was exported, and that of a static student."""

from __future__ import annotations

from typing import Any

from clx.errors import ConfigError
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.students import is_student, teacher_of
from clx.problems import cell, did_you_mean
from clx_runtime.cascade import CASCADE
from clx_runtime.static_files import STATIC

TORCH = "torch"
EXPORTED = ("onnx", "onnx-int8", "openvino", "openvino-int8")
BACKENDS = (TORCH, *EXPORTED, STATIC, CASCADE)


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


def backend_of(directory: RunDir, backend: Any) -> str:
    """Return the backend that a trained run predicts with.

    Args:
        directory: the run.
        backend: the caller's choice. None means torch, or ``static`` for a static student.

    Raises:
        ConfigError: there is no such backend, or the run cannot have it.
    """
    chosen = check_backend(backend)
    if not is_student(directory):
        if chosen == STATIC:
            raise ConfigError(
                f"The run {directory.path.name!r} is not a static student, so it has no "
                f"backend={STATIC!r}: run.distill(...) makes one of it"
            )
        return chosen
    if backend not in (None, STATIC):
        raise ConfigError(
            f"The run {directory.path.name!r} is a static student{teacher_of(directory)}: it predicts "
            f"with backend={STATIC!r}, the default, and not with {cell(backend)}"
        )
    return STATIC
