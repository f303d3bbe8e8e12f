"""Run directories that belong to an estimator: temporary, and part of its pickle."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class TemporaryFolder:
    """A folder that is removed when no estimator uses it any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="clx-sklearn-"))
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path: Path, process: int) -> None:
    # A forked process must not remove the folder of its parent.
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in a folder by their relative paths."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def write_files(files: dict[str, bytes], folder: Path) -> Path:
    """Write what :func:`read_files` returned, and return the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
