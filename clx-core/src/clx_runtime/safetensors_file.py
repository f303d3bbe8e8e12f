"""Tensors in a safetensors file, read and written with NumPy alone.

Whoever made the file may be a stranger. A header is limited, its entries must be plain, and the offsets
must cover the data exactly, without gaps, overlaps or strange types.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx_runtime.errors import RunDirError
from clx_runtime.problems import cell

if TYPE_CHECKING:
    import numpy as np

MAX_HEADER_BYTES = 2**20
"""The limit for the header; the files of clx have some hundreds of bytes."""

MAX_SIZE = 100_000_000
"""The limit for a dimension of a tensor."""

DTYPES = {"F32": ("float32", 4), "I8": ("int8", 1)}
"""The types in a file → NumPy's name, and bytes per number."""

_LENGTH_BYTES = 8
_METADATA = "__metadata__"


def tensors_of(content: bytes | mmap.mmap, where: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return the tensors of a file by name. They share its memory and cannot be written.

    Args:
        content: the content of the file.
        where: the name of the file in messages.

    Raises:
        RunDirError: the content is damaged, or is not such a file.
    """
    import numpy as np

    try:
        entries, start = _header(content)
        _check_cover(entries, len(content) - start)
    except ValueError as error:
        raise RunDirError(
            f"{where} is truncated, damaged, or not a safetensors file: {error}"
        ) from error
    return {
        name: np.frombuffer(content, DTYPES[dtype][0], math.prod(shape), start + begin).reshape(
            shape
        )
        for name, (dtype, shape, begin, _) in entries.items()
    }


def content_of(tensors: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """Return the content of a file with the tensors, which must be float32 or int8."""
    import numpy as np

    names = {known: name for name, (known, _) in DTYPES.items()}
    # Wide types first, so that every tensor is aligned.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header: dict[str, Any] = {}
    parts, end = list[bytes](), 0
    for name, array in ordered:
        data = np.ascontiguousarray(array)
        parts.append(data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes())
        begin, end = end, end + len(parts[-1])
        header[name] = {
            "dtype": names[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)
    return b"".join([len(text).to_bytes(_LENGTH_BYTES, "little"), text, *parts])


_Entry = tuple[str, tuple[int, ...], int, int]


def _header(content: bytes | mmap.mmap) -> tuple[dict[str, _Entry], int]:
    """Return the entries of the header, and where the data starts.

    Raises:
        ValueError: the header is not valid.
    """
    if len(content) < _LENGTH_BYTES:
        raise ValueError("it has no header")
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if length > min(MAX_HEADER_BYTES, len(content) - _LENGTH_BYTES):
        raise ValueError(f"its header claims {length} bytes")
    start = _LENGTH_BYTES + length
    try:
        values = json.loads(content[_LENGTH_BYTES:start], object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("its header is not a JSON object")
    values.pop(_METADATA, None)
    return {name: _entry(name, value) for name, value in values.items()}, start


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in its header")
    return found


def _entry(name: str, value: Any) -> _Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry {cell(name)} does not describe a tensor")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{cell(name)} has the type {cell(dtype)}, not one of {', '.join(DTYPES)}")
    if not isinstance(shape, list) or len(shape) > 2 or not all(map(_is_size, shape)):
        raise ValueError(f"{cell(name)} has the shape {cell(shape)}")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_whole, offsets)):
        raise ValueError(f"{cell(name)} has the offsets {cell(offsets)}")
    begin, end = offsets
    if end - begin != math.prod(shape) * DTYPES[dtype][1]:
        raise ValueError(f"{cell(name)} has offsets that do not match its shape")
    return dtype, tuple(shape), begin, end


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_size(value: Any) -> bool:
    return _is_whole(value) and value <= MAX_SIZE


def _check_cover(entries: Mapping[str, _Entry], length: int) -> None:
    """Refuse tensors that do not cover the data exactly.

    Raises:
        ValueError: there are gaps or overlaps, or the data ends elsewhere.
    """
    position = 0
    for begin, end in sorted((begin, end) for _, _, begin, end in entries.values()):
        if begin != position:
            raise ValueError("its tensors overlap or leave gaps")
        position = end
    if position != length:
        raise ValueError(f"it has {length} bytes of tensors instead of {position}")
