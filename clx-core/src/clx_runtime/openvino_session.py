"""Sessions of OpenVINO."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import ConfigError, ExportError, MissingDependencyError
from clx_runtime.openvino_file import is_packed, unpacked
from clx_runtime.problems import cell

if TYPE_CHECKING:
    import numpy as np


def import_openvino() -> Any:
    """Return the imported package.

    Raises:
        MissingDependencyError: the package is not installed.
    """
    try:
        import openvino
    except ImportError as error:
        owner = "clx-core" if find_spec("clx") is not None else "clx-runtime"
        raise MissingDependencyError(
            f"openvino is needed for this backend ({error}): pip install '{owner}[openvino]'"
        ) from error
    return openvino


class OpenVinoSession:
    """An exported model in OpenVINO, on the CPU.

    Args:
        model: the file of the model, or its content: ONNX, or what ``openvino_file`` packs.
        device: ``cpu``, or None.
        threads: the number of threads for one batch. None takes ``OMP_NUM_THREADS``, or leaves it to
            OpenVINO.

    Attributes:
        device: ``cpu``.

    Raises:
        MissingDependencyError: OpenVINO is not installed.
        ConfigError: the device is not the CPU.
        ExportError: OpenVINO cannot run the model.
    """

    device = "cpu"

    def __init__(
        self, model: Path | bytes, device: str | None = None, threads: int | None = None
    ) -> None:
        refuse_other_device(device)
        openvino = import_openvino()
        # A request holds one batch at a time.
        self._lock = threading.Lock()
        try:
            compiled = openvino.Core().compile_model(
                _read(openvino, model), "CPU", _options(threads)
            )
            self._request = compiled.create_infer_request()
            # The exporters leave out inputs that do not change the outputs.
            self._inputs = [each.any_name for each in compiled.inputs]
        except RuntimeError as error:
            raise _failure(error) from error

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
        try:
            with self._lock:
                found = self._request.infer({name: feeds[name] for name in self._inputs})
                return [found[name] for name in names]
        except RuntimeError as error:
            raise _failure(error) from error


def _read(openvino: Any, model: Path | bytes) -> Any:
    core = openvino.Core()
    if not is_packed(model):
        return core.read_model(model if isinstance(model, bytes) else str(model))
    import numpy as np

    graph, weights = unpacked(model)
    return core.read_model(graph, openvino.Tensor(np.frombuffer(weights, dtype=np.uint8)))


def _options(threads: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        # OpenVINO would use bf16 where the processor has it: decisions would depend on the machine.
        "INFERENCE_PRECISION_HINT": "f32",
        # Several processes on one machine would all take the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    given = str(threads or os.environ.get("OMP_NUM_THREADS", ""))
    if given.isdigit() and int(given):
        options["INFERENCE_NUM_THREADS"] = int(given)
    return options


def _failure(error: RuntimeError) -> ExportError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ExportError(
        f"OpenVINO cannot run the exported model: {' '.join(lines)[-300:]}. Use backend='onnx', or "
        f"export the run again"
    )


def refuse_other_device(device: str | None) -> None:
    """Raise if a device is not the CPU.

    Raises:
        ConfigError: the device is not the CPU.
    """
    if device is not None and not device.startswith("cpu"):
        raise ConfigError(f"With OpenVINO the device can be cpu, not {cell(device)}")
