"""Files that were found on this machine, before their content is known."""

from __future__ import annotations

import glob
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clx.errors import DataWarning
from clx.problems import IN_WARNINGS, examples
from clx_runtime.callers import user_level


@dataclass(frozen=True)
class FoundFile:
    """A file that was found.

    Attributes:
        name: the file in messages.
        path: the local file, or an address.
        file_name: the path that the suffix is read from.
        inside: the path below the requested folder or glob, None for a file that the caller named
            directly.
    """

    name: str
    path: Path | str
    file_name: str
    inside: str | None = None


def local_files(source: str) -> tuple[list[FoundFile], bool]:
    """Return the files that a local path stands for, and whether it is a folder or a glob.

    Links to folders and to nothing are named in a ``DataWarning``.
    """
    path = Path(source)
    try:
        path = path if path.exists() else path.expanduser()
        if path.is_dir():
            below = [(file, _printable(file.relative_to(path))) for file in sorted(path.rglob("*"))]
            inside = [each for each in below if not is_hidden(each[1])]
            _tell_links(source, (each for each in inside if not each[0].is_file()))
            return [_found(*each) for each in inside if each[0].is_file()], True
        if path.exists():
            return [_found(path)], False
    except (OSError, RuntimeError):
        # The text cannot be a path: it is longer than a name may be, or begins with a tilde.
        return [], False
    fixed, pattern = _fixed_folder(path)
    matches = sorted(map(Path, glob.glob(pattern, recursive=True)))
    below = [(file, _printable(file.relative_to(fixed))) for file in matches]
    wants_hidden = is_hidden(_printable(Path(pattern).relative_to(glob.escape(str(fixed)))))
    inside = [each for each in below if wants_hidden or not is_hidden(each[1])]
    _tell_links(source, (each for each in inside if not each[0].exists()))
    return [_found(*each) for each in inside if each[0].is_file()], True


def _tell_links(source: str, others: Iterable[tuple[Path, str]]) -> None:
    """Warn of links that do not lead to files."""
    links = [inside for file, inside in others if file.is_symlink()]
    if links:
        warnings.warn(
            f"{len(links)} links in {source!r} were left out, because they lead to folders or to "
            f"nothing: {examples(links, IN_WARNINGS)}",
            DataWarning,
            stacklevel=user_level(),
        )


def _fixed_folder(path: Path) -> tuple[Path, str]:
    """Return the folder before the first glob character, and the glob relative to that folder."""
    for folder in path.parents:
        if folder.is_dir():
            rest = path.relative_to(folder)
            return folder, str(Path(glob.escape(str(folder))) / rest)
    return Path(), str(path)


def _found(path: Path, inside: str | None = None) -> FoundFile:
    name = _printable(path)
    return FoundFile(name, path, name, inside)


def _printable(path: Path) -> str:
    # A name that is not UTF-8 cannot be printed unchanged.
    return path.as_posix().encode("utf-8", "backslashreplace").decode()


def is_hidden(inside: str) -> bool:
    """Return whether a file in a folder is not data: a hidden file or a lock file of Excel."""
    return any(part.startswith((".", "_", "~$")) for part in PurePosixPath(inside).parts)
