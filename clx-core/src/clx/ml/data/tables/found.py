"""Files that were found on this machine, before their content is known."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


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
    """Return the files that a local path stands for, and whether it is a folder or a glob."""
    path = Path(source)
    try:
        path = path if path.exists() else path.expanduser()
        if path.is_dir():
            below = sorted(file for file in path.rglob("*") if file.is_file())
            inside = [(file, _printable(file.relative_to(path))) for file in below]
            return [_found(*each) for each in inside if not is_hidden(each[1])], True
        if path.exists():
            return [_found(path)], False
    except (OSError, RuntimeError):
        # The text cannot be a path: it is longer than a name may be, or begins with a tilde.
        return [], False
    fixed, pattern = _fixed_folder(path)
    matches = sorted(
        file for match in glob.glob(pattern, recursive=True) if (file := Path(match)).is_file()
    )
    return [_found(file, _printable(file.relative_to(fixed))) for file in matches], True


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
