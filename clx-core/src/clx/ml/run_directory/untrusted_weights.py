"""The headers of safetensors files, read without the library: nothing is allocated that they name.

The format: 8 bytes with the header's length (little endian), the header as JSON ``{name: {dtype,
shape, data_offsets}}``, then the data (https://huggingface.co/docs/safetensors, "Format").
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.untrusted_files import read_object
from clx.problems import cell, names

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_HEADER_BYTES = 100_000_000
"""What the safetensors library allows."""

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")

_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E5M2": 1,
    "F8_E4M3": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "U32": 4,
    "F32": 4,
    "I64": 8,
    "U64": 8,
    "F64": 8,
    "C64": 8,
}


def weight_shapes(folder: Path) -> dict[str, list[int]]:
    """Return the name and shape of every tensor that transformers reads from a model folder.

    Raises:
        RunDirError: there are no safetensors weights, they are damaged, or an index leads elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return _header(folder / WEIGHTS)
    if not (folder / INDEX).is_file():
        pickled = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
        raise RunDirError(
            f"{folder} has no {WEIGHTS}"
            + (f", only {names(pickled)}: a pickle can run code and is not read" * bool(pickled))
        )
    weight_map = read_object(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise RunDirError(f"{folder / INDEX} has no weight_map")
    shapes: dict[str, list[int]] = {}
    for name in dict.fromkeys(map(str, weight_map.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise RunDirError(
                f"{folder / INDEX} names the file {cell(name)}, which is no safetensors file beside it"
            )
        shapes |= _header(folder / name)
    return shapes


def _header(path: Path) -> dict[str, list[int]]:
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
                raise RunDirError(f"{path} is cut short or no safetensors file")
            header = json.loads(file.read(length))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, RunDirError):
            raise
        raise RunDirError(f"{path} cannot be read as safetensors: {error}") from error
    if not isinstance(header, dict):
        raise RunDirError(f"{path} cannot be read as safetensors: its header is no JSON object")
    header.pop("__metadata__", None)
    there = size - 8 - length
    ends = [_end(path, name, tensor) for name, tensor in header.items()]
    if max(ends, default=0) != there:
        raise RunDirError(
            f"{path} is cut short or damaged: its header names {max(ends, default=0)} bytes of "
            f"weights, and there are {there}"
        )
    return {name: tensor["shape"] for name, tensor in header.items()}


def _end(path: Path, name: str, tensor: Any) -> int:
    try:
        begin, end = map(_count, tensor["data_offsets"])
        numbers = math.prod(map(_count, tensor["shape"]))
        dtype = tensor["dtype"]
        fits = begin <= end and end - begin == numbers * _BYTES.get(dtype, (end - begin) / numbers)
    except (TypeError, ValueError, KeyError, ZeroDivisionError):
        fits = False
    if not fits:
        raise RunDirError(f"{path} is damaged: its header is wrong about the weights {cell(name)}")
    return int(end)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value
