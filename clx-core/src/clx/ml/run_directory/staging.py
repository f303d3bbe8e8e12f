"""How a new content of a run directory replaces the old one: all of it, or nothing.

A training writes a whole new directory beside the target, flushes it to disk, writes the manifest
last, and takes the target's place by rename. So the target is always one complete run or the
other, whatever instant the process is killed at.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from clx.ml.run_directory.layout import (
    IN_MANIFEST,
    MANIFEST,
    ONNX,
    OUR_NAMES,
    RunDir,
    file_sha256,
    left_of,
    write_json,
)

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


@contextlib.contextmanager
def staged(run: RunDir) -> Iterator[RunDir]:
    """Give an empty directory beside ``run`` to be filled; it takes the run's place at the end.

    When the body raises, the run stays as it was and the staging directory is removed.
    """
    recover(run)
    new = RunDir(run.staging)
    new.path.mkdir(parents=True)
    try:
        yield new
        _seal(new.path)
    except BaseException:
        # What went wrong is the error to show, not that a half-written file cannot be removed.
        shutil.rmtree(new.path, ignore_errors=True)
        raise
    _publish(new.path, run)


def recover(run: RunDir) -> None:
    """Finish a replacement that was broken off, and sweep what it left. Only a writer calls this."""
    if not run.path.exists():
        left = left_of(run)
        if left is not None:
            left.rename(run.path)
    remove(run.previous)
    remove(run.staging)
    # Of an export that was broken off.
    for name in (ONNX, MANIFEST):
        remove(run.path.with_name(f".{run.path.name}.{name}"))


def _seal(folder: Path) -> None:
    """Write the manifest last, with everything before it on disk; give files the umask's modes."""
    probe = folder / ".mode"
    probe.touch()
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink() or not path.is_file():
            continue
        if name.parts[0] in OUR_NAMES:
            # safetensors writes its files 0600, which another user cannot read.
            path.chmod(mode)
        _fsync(path)
        if name.parts[0] in IN_MANIFEST:
            files[name.as_posix()] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    write_json(folder / MANIFEST, {"files": files})
    _fsync(folder / MANIFEST)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        if not path.is_symlink():
            _fsync(path)


def _publish(new: Path, run: RunDir) -> None:
    if not run.path.exists():
        new.rename(run.path)
    elif _exchange(new, run.path):
        _fsync(run.path.parent)
        remove(new)
    else:
        run.path.rename(run.previous)
        new.rename(run.path)
        _fsync(run.path.parent)
        remove(run.previous)
    _fsync(run.path.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change names in one step; return False where the system cannot."""
    library = ctypes.util.find_library("c")
    function = getattr(ctypes.CDLL(library, use_errno=True), "renameat2", None) if library else None
    if function is None:
        return False
    result = function(
        _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder; one that is half removed is no complete run any more."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path)
