"""An exported model in ONNX Runtime, which needs neither torch nor transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, NotTrainedError, RunDirError
from clx.ml.data.batches import padded
from clx.ml.machine.cpus import session_threads
from clx.ml.machine.forks import not_forked
from clx.ml.prediction.onnx_runtime import import_onnxruntime
from clx.ml.run_directory.layout import MANIFEST, ONNX, RunDir
from clx.problems import cell

if TYPE_CHECKING:
    import numpy as np

FILES = {"onnx": "model.onnx", "onnx-int8": "model.int8.onnx"}
"""Backend → the name of its file in the run's ``onnx/``."""

TOKENIZER = "tokenizer.json"
SETTINGS = "settings.json"
REPORT = "report.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Settings:
    """The settings of a pipeline besides weights and vocabulary.

    Attributes:
        inputs: the names of the model's inputs, in order.
        fill: input → the number that shorter texts are padded with.
        side: the side of the padding, ``right`` or ``left``.
        limit: the most tokens of a text that the model receives; None if texts are not truncated.
        labels: the label of each logit.
        problem_type: the entry of the model's config, which decides between softmax and sigmoid.
        configured: the config's own ``function_to_apply``, None if it has none.
        scoring: the pipeline's own ``top_k``, ``legacy`` and ``function``.
        batch_size: the pipeline's own batch size, None if it has none.
        window_pooling: how to pool the logits of a long text's windows; None if it is truncated.
        equal_lengths: whether all texts of a batch must have the same number of tokens.
        stand_in: the token for a text without tokens; None means the padding token.
    """

    inputs: list[str]
    fill: dict[str, int]
    side: str
    limit: int | None
    labels: list[str]
    problem_type: str | None
    configured: str | None
    scoring: dict[str, Any]
    batch_size: int | None = None
    window_pooling: str | None = None
    equal_lengths: bool = False
    stand_in: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``settings.json``."""
        return {"schema_version": SCHEMA_VERSION, **vars(self)}


def read_settings(folder: Path) -> Settings:
    """Return the settings of an exported model.

    Raises:
        RunDirError: the file is damaged, or a newer clx wrote it.
    """
    path = folder / SETTINGS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.pop("schema_version")
        if version > SCHEMA_VERSION:
            raise RunDirError(
                f"A newer clx wrote {path}: pip install --upgrade clx-core, or export the run again"
            )
        return Settings(**values)
    except RunDirError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunDirError(f"{path} cannot be used ({error}): export the run again") from error


def exported_folder(directory: RunDir, backend: str) -> Path:
    """Return the run's ``onnx/`` after checking that it has all files of the backend.

    Raises:
        NotTrainedError: the run was not exported for this backend.
    """
    folder = directory.path / ONNX
    is_there = all((folder / name).is_file() for name in (FILES[backend], SETTINGS, TOKENIZER))
    if is_there and (directory.path / MANIFEST).is_file():
        # The manifest does not list the files of an interrupted export.
        is_there = f"{ONNX}/{SETTINGS}" in directory.listed_files()
    if not is_there:
        raise NotTrainedError(
            f"The run in {directory.path} was not exported for backend={backend!r}: call "
            f'run.export("onnx"), or clx export {directory.path.name}'
        )
    return folder


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
    # ONNX Runtime counts the cores of the machine, however few of them this process may use.
    options.intra_op_num_threads = session_threads() or 0
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


def scoring_of(arguments: Mapping[str, Any], settings: Settings) -> tuple[str | None, Any, bool]:
    """Return function, top_k and legacy as the pipeline interprets the arguments of its call.

    Raises:
        ConfigError: only the torch pipeline accepts an argument, or a value is not valid.
    """
    unknown = sorted(set(arguments) - {"top_k", "function_to_apply"})
    if unknown:
        raise ConfigError(
            f"backend='onnx' accepts top_k and function_to_apply, but not {', '.join(unknown)}: the "
            f"export fixed the tokenizer's arguments (backend='torch' accepts others)"
        )
    own = settings.scoring
    function = arguments.get("function_to_apply") or own["function"]
    if function not in (None, "softmax", "sigmoid", "none"):
        raise ConfigError(
            f"function_to_apply must be softmax, sigmoid or none, but is {cell(function)}"
        )
    top_k, legacy = own["top_k"], own["legacy"]
    requested = arguments.get("top_k", "")
    if requested is None or isinstance(requested, int):
        top_k, legacy = requested, False
    return function, top_k, legacy
