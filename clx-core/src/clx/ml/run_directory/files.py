"""Single files: JSON, checksums, and flushing to disk.

A file may come from somebody else, so a file that is too large for its kind is not read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.machine.disk import full_disk_named
from clx.problems import cell

MAX_JSON_BYTES = 64 * 2**20
"""The limit for a config, results, or a manifest."""


def read_text(path: Path, limit: int = MAX_JSON_BYTES) -> str:
    """Return the text of a regular file.

    Raises:
        RunDirError: the file cannot be read, is not a regular file, or is larger than ``limit`` bytes.
    """
    try:
        # Opening a pipe waits for a writer, and a device never ends.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RunDirError(f"{path} cannot be read: it is not a regular file")
            if status.st_size > limit:
                raise RunDirError(
                    f"{path} cannot be read: it has {status.st_size} bytes, more than the limit of "
                    f"{limit} for such a file"
                )
            return file.read()
    except RunDirError:
        raise
    except (OSError, UnicodeDecodeError) as error:
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
    """Return the JSON object in a file, ``{}`` if the file is missing or does not hold one."""
    try:
        return read_json(path)
    except RunDirError:
        return {}


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON in UTF-8; a failure leaves the old file as it was."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(json_text(value), encoding="utf-8")
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def json_text(value: Any) -> str:
    """Return a value as :func:`write_json` writes it: indented, with a list of numbers on one line."""
    return "".join(_pieces(value, "\n")) + "\n"


def _pieces(value: Any, newline: str) -> Iterator[str]:
    """Yield the pieces of a value's JSON.

    Args:
        value: the value.
        newline: a line break with the indentation of the value.
    """
    is_list = isinstance(value, list | tuple)
    if not value or not (is_list or isinstance(value, dict)) or (is_list and _is_numbers(value)):
        yield json.dumps(value, ensure_ascii=False, allow_nan=False)
        return
    inner = newline + "  "
    yield "[" if is_list else "{"
    for number, item in enumerate(value if is_list else value.items()):
        yield f",{inner}" if number else inner
        if not is_list:
            key, item = item
            # Leave keys that are not text to the json module.
            yield json.dumps({key: 0}, ensure_ascii=False)[1:-2]
        yield from _pieces(item, inner)
    yield newline + ("]" if is_list else "}")


def _is_numbers(values: list[Any] | tuple[Any, ...]) -> bool:
    return all(value is None or isinstance(value, int | float) for value in values)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a failure to write into an error that names the folder.

    Raises:
        DiskFullError: the disk is full.
        RunDirError: the folder cannot be written for another reason.
    """
    try:
        with full_disk_named(folder):
            yield
    except RunDirError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise RunDirError(
            f"{folder} cannot be written: {reason}. Choose another folder."
        ) from error
