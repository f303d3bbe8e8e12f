"""Writing single files: JSON, and flushing to disk."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.machine.disk import full_disk_named


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
