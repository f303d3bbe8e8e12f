"""The files of a directory that somebody else may have made: links, kinds, sizes and JSON.

Nothing here follows what a file says, and nothing is read that is larger than its kind can be.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.problems import cell

MAX_JSON_BYTES = 64 * 2**20
"""Of a config, results or manifest."""

MAX_TOKENIZER_BYTES = 512 * 2**20
"""Of a file of a tokenizer; the largest in use have some 35 MB."""

MAX_FILES = 10_000


def read_text(path: Path, limit: int = MAX_JSON_BYTES) -> str:
    """Return a regular file's text.

    Raises:
        RunDirError: it cannot be read, is no regular file, or is larger than ``limit`` bytes.
    """
    try:
        # Opening a pipe waits for a writer, and a device never ends.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RunDirError(f"{path} cannot be read: it is no regular file")
            if status.st_size > limit:
                raise RunDirError(
                    f"{path} cannot be read: {status.st_size} bytes are more than such a file has "
                    f"(at most {limit})"
                )
            return file.read()
    except RunDirError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise RunDirError(f"{path} cannot be read: {error}") from error


def read_object(path: Path, limit: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        RunDirError: the file cannot be read, or holds something else.
    """
    return json_object(read_text(path, limit), path)


def json_object(text: str, path: Path) -> dict[str, Any]:
    """Return the JSON object in ``text``, which was read from ``path``.

    Raises:
        RunDirError: it is no JSON, or something else than an object.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise RunDirError(f"{path} is not valid JSON: it is nested too deeply") from error
    except ValueError as error:
        raise RunDirError(f"{path} is not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise RunDirError(f"{path} is not a JSON object, but {cell(value)}")
    return value


def file_problems(root: Path, names: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the kinds of the files ``names`` and of all below them.

    A link has to stay within ``root``. The one exception is a snapshot in a Hub cache, whose files
    are links into the cache's ``blobs``.
    """
    inside = _allowed(root)
    problems: list[str] = []
    for number, path in enumerate(_paths(root, names)):
        if number >= MAX_FILES:
            return [*problems, f"there are more than {MAX_FILES} files"]
        if reason := _kind_problem(path, inside):
            problems.append(f"{path.relative_to(root).as_posix()} {reason}")
    return problems


def _allowed(root: Path) -> list[Path]:
    real = root.resolve()
    inside = [real]
    for parent in real.parents:
        if parent.name.startswith("models--") and (parent / "snapshots") in real.parents:
            inside.append(parent / "blobs")
    return inside


def _paths(root: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        if not os.path.lexists(root / name):
            continue
        yield root / name
        for folder, folders, files in os.walk(root / name):
            for each in (*folders, *files):
                yield Path(folder, each)


def _kind_problem(path: Path, inside: list[Path]) -> str | None:
    try:
        if path.is_symlink():
            target = path.resolve(strict=True)
            if not any(target.is_relative_to(folder) for folder in inside):
                return f"is a link out of the directory, to {cell(str(target))}"
        mode = path.stat().st_mode
    except (OSError, RuntimeError):
        return "is a link that leads nowhere, or cannot be looked at"
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "is neither a file nor a folder"
    return None
