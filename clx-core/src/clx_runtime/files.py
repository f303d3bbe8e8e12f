"""Reading single files.

A file may come from somebody else, so a file that is too large for its kind is not read.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from clx_runtime.errors import RunDirError
from clx_runtime.problems import cell

MAX_JSON_BYTES = 64 * 2**20
"""The limit for a config, results, or a manifest."""


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """Return the content of a regular file.

    Raises:
        RunDirError: the file cannot be read, is not a regular file, or is larger than ``limit`` bytes.
    """
    try:
        # Opening a pipe waits for a writer, and a device never ends.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RunDirError(f"{path} cannot be read: it is not a regular file")
            if limit is not None and status.st_size > limit:
                raise RunDirError(
                    f"{path} cannot be read: it has {status.st_size} bytes, more than the limit of "
                    f"{limit} for such a file"
                )
            return file.read()
    except RunDirError:
        raise
    except OSError as error:
        raise RunDirError(f"{path} cannot be read: {error}") from error


def read_text(path: Path, limit: int = MAX_JSON_BYTES) -> str:
    """Return the text of a regular file, in UTF-8.

    Raises:
        RunDirError: as for :func:`read_bytes`, or the text is not valid UTF-8.
    """
    content = read_bytes(path, limit)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RunDirError(f"{path} cannot be read: {error}") from error


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        RunDirError: the file cannot be read or does not hold a JSON object.
    """
    text = read_text(path, limit)
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise RunDirError(f"{path} is not valid JSON: it is nested too deeply") from error
    except ValueError as error:
        raise RunDirError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise RunDirError(f"{path} is not a JSON object, but {cell(value)}")
    return value


def read_json_or_empty(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, ``{}`` if the file is missing or holds something else."""
    try:
        return read_json(path)
    except RunDirError:
        return {}


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
