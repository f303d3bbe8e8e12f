"""Sessions of ONNX Runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.cpus import session_threads
from clx_runtime.errors import ConfigError, MissingDependencyError
from clx_runtime.problems import cell

if TYPE_CHECKING:
    import numpy as np


def missing(package: str, error: ImportError) -> MissingDependencyError:
    """Return the error for a package of the extra ``onnx`` that is not installed."""
    owner = "clx-core" if find_spec("clx") is not None else "clx-runtime"
    return MissingDependencyError(
        f"{package} is needed for ONNX ({error}): pip install '{owner}[onnx]'"
    )


def import_onnxruntime() -> Any:
    """Return the imported package.

    Since version 1.29 its wheels send usage events unless ``ORT_DISABLE_TELEMETRY`` is set before the
    import (Privacy.md in the package). A value that the user has set stays, and nothing changes if the
    package was imported before.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnxruntime", error) from error
    return onnxruntime


class OnnxSession:
    """An exported model in ONNX Runtime.

    Args:
        model: the file of the model, or its content.
        device: ``cpu`` or ``cuda``, also with a number; None chooses a GPU if ONNX Runtime has one.
        threads: the number of threads for one batch. None takes the CPUs that this process was given.

    Attributes:
        device: the kind of device, ``cpu`` or ``cuda``.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ConfigError: the device is not available.
    """

    def __init__(
        self, model: Path | bytes, device: str | None = None, threads: int | None = None
    ) -> None:
        runtime = import_onnxruntime()
        providers = _providers(runtime.get_available_providers(), device)
        self.device = "cuda" if "CUDAExecutionProvider" in str(providers[0]) else "cpu"
        self._session = runtime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            _options(runtime, threads),
            providers=providers,
        )
        # The exporters leave out inputs that do not change the outputs.
        self._inputs = [each.name for each in self._session.get_inputs()]

    def __call__(self, feeds: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """Return the logits of one batch, shape (texts, labels).

        Args:
            feeds: input → token ids or the like, shape (texts, tokens).
        """
        return self.outputs(feeds, ["logits"])[0]

    def outputs(self, feeds: Mapping[str, Any], names: Sequence[str]) -> list[np.ndarray[Any, Any]]:
        """Return some outputs for one batch.

        Args:
            feeds: as for a call.
            names: the outputs.
        """
        read = {name: feeds[name] for name in self._inputs}
        found: list[np.ndarray[Any, Any]] = self._session.run(list(names), read)
        return found


def _options(runtime: Any, threads: int | None) -> Any:
    options = runtime.SessionOptions()
    # Otherwise it keeps a memory plan for each input shape, and almost every batch has a new shape.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    # ONNX Runtime counts the cores of the machine, however few of them this process may use.
    options.intra_op_num_threads = threads or session_threads() or 0
    return options


def _providers(available: Sequence[str], device: str | None) -> list[Any]:
    if device is not None and not device.startswith(("cpu", "cuda")):
        raise ConfigError(f"With ONNX Runtime the device can be cpu or cuda, not {cell(device)}")
    has_cuda = "CUDAExecutionProvider" in available
    if device is not None and device.startswith("cuda"):
        if not has_cuda:
            raise ConfigError(
                f"The device {device!r} is not available: this ONNX Runtime has only "
                f"{', '.join(available)} (pip install onnxruntime-gpu, or use device='cpu')"
            )
        number = int(device.partition(":")[2] or 0)
        return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
    if device is None and has_cuda:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def refuse_missing_device(device: str) -> None:
    """Raise if ONNX Runtime cannot use the device here.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ConfigError: the device is not available.
    """
    _providers(import_onnxruntime().get_available_providers(), device)
