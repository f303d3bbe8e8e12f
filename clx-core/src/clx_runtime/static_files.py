"""The files of a static student: ``model.safetensors``, ``tokenizer.json`` and ``student.json``.

A static student has one vector per token. A text is the mean of its tokens' vectors, which goes through
LayerNorm, one hidden layer with ReLU, and one linear layer:

    mean   = sum(token_weights[t] * embeddings[t] for t in tokens) / len(tokens)
    normed = (mean - mean.mean()) / sqrt(mean.var() + layer_norm_eps) * norm.weight + norm.bias
    logits = output.weight @ relu(hidden.weight @ normed + hidden.bias) + output.bias

The tokens are those of ``tokenizer.json`` without special tokens, at most ``limit`` of them. The mean of
a text without tokens is 0. Matrices have torch's layout, (outputs, inputs).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import RunDirError
from clx_runtime.files import MAX_JSON_BYTES, read_bytes, read_text
from clx_runtime.problems import cell
from clx_runtime.safe_export import MAX_TOKENIZER_BYTES
from clx_runtime.safetensors_file import content_of, tensors_of
from clx_runtime.settings import TOKENIZER, Settings

if TYPE_CHECKING:
    import numpy as np

STUDENT = "student.json"
WEIGHTS = "model.safetensors"
STATIC = "static"
"""The kind of the student, and the name of its backend."""

STUDENT_FILES = (STUDENT, TOKENIZER, WEIGHTS)
STUDENT_VERSION = 1
LAYER_NORM_EPS = 1e-5

EMBEDDINGS = "embeddings"
SCALES = "embedding_scales"
TOKEN_WEIGHTS = "token_weights"

_NEEDED = (
    EMBEDDINGS,
    "norm.weight",
    "norm.bias",
    "hidden.weight",
    "hidden.bias",
    "output.weight",
    "output.bias",
)


@dataclass(frozen=True)
class StudentFiles:
    """The content of a static student's files.

    Attributes:
        where: the folder or archive, for messages.
        settings: the settings of an export of the run.
        tokenizer: the content of ``tokenizer.json``.
        weights: the tensors by name; the module lists them.
        layer_norm_eps: the number that LayerNorm adds to a variance.
    """

    where: str
    settings: Settings
    tokenizer: str
    weights: Mapping[str, np.ndarray[Any, Any]]
    layer_norm_eps: float = LAYER_NORM_EPS


def is_static(model: Path) -> bool:
    """Return whether a run's ``model/`` holds a static student."""
    return (model / STUDENT).is_file()


def read_student(folder: Path) -> StudentFiles:
    """Return the static student in a folder.

    Raises:
        RunDirError: a file is missing, damaged, or from a newer clx.
    """
    return student_of(
        read_text(folder / STUDENT, MAX_JSON_BYTES),
        read_text(folder / TOKENIZER, MAX_TOKENIZER_BYTES),
        read_bytes(folder / WEIGHTS),
        str(folder),
    )


def student_of(student: str, tokenizer: str, weights: bytes, where: str) -> StudentFiles:
    """Return a static student.

    Args:
        student: the content of ``student.json``.
        tokenizer: the content of ``tokenizer.json``.
        weights: the content of ``model.safetensors``.
        where: the folder or archive, for messages.

    Raises:
        RunDirError: a content is damaged, or from a newer clx.
    """
    values = _values(student, f"{where}: {STUDENT}")
    settings = student_settings(values, f"{where}: {STUDENT}")
    tensors = tensors_of(weights, f"{where}: {WEIGHTS}")
    eps = values.get("layer_norm_eps")
    problems = tensor_problems(tensors, settings)
    sizes = tensors[EMBEDDINGS].shape[1:] + tensors["hidden.bias"].shape if not problems else ()
    if not problems and sizes != (values.get("dim"), values.get("hidden")):
        problems = [f"the sizes in {STUDENT} differ from those of the weights"]
    if not isinstance(eps, float) or not 0 < eps < 1:
        raise RunDirError(f"{where}: {STUDENT} is damaged: layer_norm_eps is {cell(eps)}")
    if problems:
        raise RunDirError(f"The static student in {where} is damaged: {'; '.join(problems)}")
    return StudentFiles(where, settings, tokenizer, tensors, eps)


def student_settings(values: Mapping[str, Any], where: str) -> Settings:
    """Return the settings in the content of ``student.json``.

    Args:
        values: the content.
        where: the name of the file in messages.

    Raises:
        RunDirError: the content is damaged, or from a newer clx.
    """
    version, kind = values.get("schema_version"), values.get("kind")
    if not isinstance(version, int) or version > STUDENT_VERSION or kind != STATIC:
        raise RunDirError(
            f"A newer clx wrote {where}, a student of the kind {cell(kind)}: pip install --upgrade "
            f"clx-core or clx-runtime"
        )
    try:
        settings = Settings(**values["settings"])
    except (KeyError, TypeError) as error:
        raise RunDirError(f"{where} cannot be used ({error}): distill the run again") from error
    labels, limit = settings.labels, settings.limit
    is_whole = isinstance(limit, int) and not isinstance(limit, bool) and limit > 0
    if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
        raise RunDirError(f"{where} cannot be used (labels are {cell(labels)}): distill again")
    if limit is not None and not is_whole:
        raise RunDirError(f"{where} cannot be used (limit is {cell(limit)}): distill the run again")
    return settings


def tensor_problems(tensors: Mapping[str, np.ndarray[Any, Any]], settings: Settings) -> list[str]:
    """Return why tensors do not belong to a static student with these settings."""
    missing = [name for name in _NEEDED if name not in tensors]
    unknown = sorted(set(tensors) - {*_NEEDED, SCALES, TOKEN_WEIGHTS})
    if missing or unknown:
        missed = [f"{name} is missing" for name in missing]
        return missed + [f"{cell(name)} is not a tensor of a static student" for name in unknown]
    embeddings, hidden = tensors[EMBEDDINGS], tensors["hidden.bias"]
    if embeddings.ndim != 2 or hidden.ndim != 1 or not embeddings.size or not hidden.size:
        return [f"{EMBEDDINGS} has the shape {embeddings.shape}, hidden.bias {hidden.shape}"]
    (tokens, dim), labels = embeddings.shape, len(settings.labels)
    shapes: dict[str, tuple[int, ...]] = {
        "norm.weight": (dim,),
        "norm.bias": (dim,),
        "hidden.weight": (len(hidden), dim),
        "hidden.bias": (len(hidden),),
        "output.weight": (labels, len(hidden)),
        "output.bias": (labels,),
        SCALES: (tokens,),
        TOKEN_WEIGHTS: (tokens,),
    }
    problems = [
        f"{name} has the shape {tensors[name].shape} instead of {shape}"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    problems += [
        f"{name} has the type {array.dtype}"
        for name, array in tensors.items()
        if array.dtype.name != ("int8" if name == EMBEDDINGS and SCALES in tensors else "float32")
    ]
    return problems


def write_student(
    folder: Path,
    settings: Settings,
    tokenizer: str,
    weights: Mapping[str, np.ndarray[Any, Any]],
    layer_norm_eps: float = LAYER_NORM_EPS,
) -> None:
    """Write the three files of a static student into a folder, which may not exist yet.

    Args:
        folder: the ``model/`` of a staged run.
        settings: the settings of an export of the run.
        tokenizer: the content of ``tokenizer.json``. What it adds to a text or cuts off is left out: the
            student reads no special tokens, and truncates at ``settings.limit`` itself.
        weights: the tensors by name, in float32; ``embeddings`` may be int8 beside
            ``embedding_scales``.
        layer_norm_eps: the number that LayerNorm adds to a variance.

    Raises:
        ValueError: a tensor is missing, or has a wrong shape or type, or a number that is not finite.
    """
    import numpy as np

    problems = tensor_problems(weights, settings)
    problems += [
        f"{n} is not finite" for n, array in weights.items() if not np.isfinite(array).all()
    ]
    if problems:
        raise ValueError(f"These are not the weights of a static student: {'; '.join(problems)}")
    values = {
        "schema_version": STUDENT_VERSION,
        "kind": STATIC,
        "settings": vars(settings),
        "dim": int(weights[EMBEDDINGS].shape[1]),
        "hidden": len(weights["hidden.bias"]),
        "layer_norm_eps": float(layer_norm_eps),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STUDENT).write_text(student_text(values), encoding="utf-8")
    (folder / TOKENIZER).write_text(_plain_tokenizer(tokenizer), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(content_of(weights))


def student_text(values: Mapping[str, Any]) -> str:
    """Return the content of ``student.json``."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def quantized(embeddings: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Return vectors in 8 bits with one scale per row, as the tensors of a student.

    Args:
        embeddings: shape (tokens, dim).
    """
    import numpy as np

    largest = np.abs(embeddings).max(axis=1).astype(np.float32)
    scales = np.where(largest > 0, largest / np.float32(127), np.float32(1)).astype(np.float32)
    rows = np.rint(embeddings / scales[:, None]).clip(-127, 127).astype(np.int8)
    return {EMBEDDINGS: rows, SCALES: scales}


def _plain_tokenizer(tokenizer: str) -> str:
    """Return a tokenizer's file without padding, truncation and special tokens around texts."""
    values = json.loads(tokenizer)
    values |= {"padding": None, "truncation": None, "post_processor": None}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _values(text: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunDirError(f"{where} is not valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise RunDirError(f"{where} is not a JSON object, but {cell(values)}")
    return values
