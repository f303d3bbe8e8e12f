"""What computes predictions: torch, or ONNX Runtime for a run that was exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.windows import windows_of
from clx.problems import cell, did_you_mean

if TYPE_CHECKING:
    from clx.ml.prediction.predict import Engine
    from clx.ml.run.run import TrainingRun

TORCH = "torch"
BACKENDS = (TORCH, "onnx", "onnx-int8")


def check_backend(backend: Any) -> str:
    """Return the name of a backend; None is ``torch``.

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


def make_engine(run: TrainingRun, backend: str, batch_size: int | None) -> Engine:
    """Return what runs texts through the model of ``run``; it is loaded if it is not yet."""
    if backend == TORCH:
        from clx.ml.data.lengths import input_limit
        from clx.ml.prediction.pipe_engine import PipeEngine

        return PipeEngine(run.pipe, batch_size, input_limit(run), windows_of(run))
    from clx.ml.prediction.onnx_engine import OnnxEngine

    return OnnxEngine(run._components.onnx(backend), batch_size)
