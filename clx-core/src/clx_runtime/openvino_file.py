"""A model of OpenVINO as one file.

OpenVINO writes a graph and its weights as two files. An export has one file for each backend, so the
two are stored in a ZIP, not compressed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from clx_runtime.errors import RunDirError

if TYPE_CHECKING:
    import zipfile

GRAPH = "model.xml"
WEIGHTS = "model.bin"

_ZIP = b"PK\x03\x04"
_TIME = (1980, 1, 1, 0, 0, 0)


def pack(graph: Path, weights: Path, target: Path) -> None:
    """Write the two files of a model as one."""
    import zipfile

    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, path in ((GRAPH, graph), (WEIGHTS, weights)):
            archive.writestr(zipfile.ZipInfo(name, _TIME), path.read_bytes())


def is_packed(model: Path | bytes) -> bool:
    """Return whether a file, or its content, begins as one of :func:`pack`."""
    if isinstance(model, bytes):
        return model.startswith(_ZIP)
    with model.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def unpacked(model: Path | bytes) -> tuple[bytes, bytes]:
    """Return the graph and the weights of a packed model.

    Raises:
        RunDirError: the file is damaged.
    """
    with _opened(model) as archive:
        return archive.read(GRAPH), archive.read(WEIGHTS)


def packed_problems(model: Path | bytes, name: str) -> list[str]:
    """Return why a packed model must not be opened.

    Args:
        model: its file, or the content.
        name: the file in messages.
    """
    try:
        with _opened(model):
            return []
    except (RunDirError, OSError):
        return [f"{name} is not an OpenVINO model"]


def _opened(model: Path | bytes) -> zipfile.ZipFile:
    """Return the open archive, which holds the two files as they are and nothing else.

    What is not compressed cannot be larger than the file.
    """
    import zipfile

    try:
        archive = zipfile.ZipFile(io.BytesIO(model) if isinstance(model, bytes) else model)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise RunDirError(f"The OpenVINO model is damaged ({error}): export again") from error
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    stored = all(
        entry.compress_type == zipfile.ZIP_STORED and entry.file_size == entry.compress_size
        for entry in entries
    )
    if names != [GRAPH, WEIGHTS] or not stored:
        archive.close()
        raise RunDirError("The OpenVINO model is damaged: export again")
    return archive
