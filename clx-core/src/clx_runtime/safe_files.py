"""The kinds of the files in a directory that somebody else may have made, and where links lead."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from clx_runtime.problems import cell

MAX_FILES = 10_000


def file_problems(root: Path, names: tuple[str, ...]) -> list[str]:
    """Return a problem for each forbidden link, pipe or device among ``names`` and below them.

    A link must stay within ``root``. The one exception is a snapshot in a Hub cache, whose files
    are links into the cache's ``blobs``.
    """
    inside = _allowed_folders(root)
    problems: list[str] = []
    for number, path in enumerate(_paths(root, names)):
        if number >= MAX_FILES:
            return [*problems, f"there are more than {MAX_FILES} files"]
        if reason := _kind_problem(path, inside):
            problems.append(f"{path.relative_to(root).as_posix()} {reason}")
    return problems


def _allowed_folders(root: Path) -> list[Path]:
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
        return "is a link that leads nowhere, or cannot be examined"
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "is neither a file nor a folder"
    return None
