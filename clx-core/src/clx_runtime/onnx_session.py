"""An exported model in ONNX Runtime, which needs neither torch nor transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.batches import padded
from clx_runtime.errors import ConfigError, MissingDependencyError
from clx_runtime.forks import not_forked
from clx_runtime.problems import cell
from clx_runtime.settings import FILES, TOKENIZER, read_settings

if TYPE_CHECKING:
    import numpy as np

PIP_LINE = "pip install 'clx-core[onnx]'"


def missing(package: str, error: ImportError) -> MissingDependencyError:
    """Return the error for a package of the extra ``onnx`` that is not installed."""
    return MissingDependencyError(f"{package} is needed for ONNX ({error}): {PIP_LINE}")


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


class OnnxModel:
    """A session of ONNX Runtime with its tokenizer and settings.

    Args:
        folder: the run's ``onnx/``.
        backend: ``onnx`` or ``onnx-int8``.
        device: as for a run; None chooses a GPU if ONNX Runtime has one.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        ConfigError: the device is not available.
    """

    def __init__(self, folder: Path, backend: str, device: str | None = None) -> None:
        runtime = import_onnxruntime()
        from tokenizers import Tokenizer

        self.settings = read_settings(folder)
        self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self.tokenizer.no_padding()
        providers = _providers(runtime.get_available_providers(), device)
        self.device = "cuda" if "CUDAExecutionProvider" in providers else "cpu"
        self._session = runtime.InferenceSession(
            str(folder / FILES[backend]), _options(runtime), providers=providers
        )

    def encode(self, texts: Sequence[Any]) -> list[Any]:
        """Return the tokens of each text, or pair of texts."""
        with not_forked():
            return list(self.tokenizer.encode_batch(texts))

    def logits(self, encodings: Sequence[Any]) -> np.ndarray[Any, Any]:
        """Return the logits of one batch, shape (texts, labels)."""
        fill, side, token = self.settings.fill, self.settings.side, self.settings.stand_in
        empty = [fill["input_ids"] if token is None else token]
        rows = {
            "input_ids": [encoding.ids or empty for encoding in encodings],
            "attention_mask": [encoding.attention_mask or [1] for encoding in encodings],
            "token_type_ids": [encoding.type_ids or [0] for encoding in encodings],
        }
        feeds = {name: padded(rows[name], fill[name], side) for name in self.settings.inputs}
        output: np.ndarray[Any, Any] = self._session.run(["logits"], feeds)[0]
        return output


def _options(runtime: Any) -> Any:
    options = runtime.SessionOptions()
    # Otherwise it keeps a memory plan for each input shape, and almost every batch has a new shape.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and int(threads):
        options.intra_op_num_threads = int(threads)
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
