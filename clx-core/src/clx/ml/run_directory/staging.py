"""Replacing the content of a run directory, or adding a folder to it: all of it, or nothing.

A training writes a new directory beside the target, flushes it to disk, writes the manifest last,
and renames the directory to the target. Whenever the process is killed, the target is
the complete old run or the complete new one.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.files import fsync, json_text, write_json
from clx.ml.run_directory.finding import left_of
from clx.ml.run_directory.layout import CARD, IN_MANIFEST, MANIFEST, MODEL, ONNX, OUR_NAMES, RunDir
from clx_runtime.files import file_sha256, read_json

_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


@contextlib.contextmanager
def staged(run: RunDir, check: Callable[[RunDir], None] | None = None) -> Iterator[RunDir]:
    """Yield an empty directory beside ``run`` to fill; it takes the run's place at the end.

    If the body or the check raises, the run stays as it was and the new directory is removed, unless
    it was set aside.

    Args:
        run: the run to replace, which need not exist.
        check: called with the complete new run before it takes its place.

    Raises:
        RunDirError: the run is a download from the Hub.
    """
    refuse_downloaded(run)
    recover(run)
    new = RunDir(run.staging)
    new.path.mkdir(parents=True)
    try:
        yield new
        if check is None:
            _seal(new.path)
        else:
            _checked(new, run, check)
    except BaseException:
        # Show what went wrong, not that a half-written file cannot be removed.
        for path in (run.staging, run.unchecked):
            shutil.rmtree(path, ignore_errors=True)
        raise
    _publish(new.path, run)
    remove(run.rejected)


def _checked(new: RunDir, run: RunDir, check: Callable[[RunDir], None]) -> None:
    """Seal the new directory and check it under a name that no reader takes for a complete run."""
    unchecked = RunDir(run.unchecked)
    new.path.rename(unchecked.path)
    _seal(unchecked.path)
    check(unchecked)
    unchecked.path.rename(new.path)


def set_aside(new: RunDir, run: RunDir) -> Path:
    """Keep a new directory that must not take the place of ``run``, and return its new location."""
    remove(run.rejected)
    (new.path / MANIFEST).unlink(missing_ok=True)
    new.path.rename(run.rejected)
    return run.rejected


@contextlib.contextmanager
def added_folder(run: RunDir, name: str) -> Iterator[Path]:
    """Yield an empty folder to fill; it becomes ``<run>/<name>`` and replaces an older one.

    The manifest says what belongs to the run. It is replaced as a whole, first without the old
    folder and last with the new one, so an interrupted call leaves only files that no manifest
    lists. The caller holds the run's lock.
    """
    new = _beside(run, name)
    target = run.path / name
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        _to_disk(new, run)
        _list_files(run, name, {})
        if target.exists():
            shutil.rmtree(target)
        new.rename(target)
        fsync(run.path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    paths = [path for path in sorted(target.rglob("*")) if path.is_file()]
    _list_files(run, name, {path.relative_to(run.path).as_posix(): _entry(path) for path in paths})


def recover(run: RunDir) -> None:
    """Finish an interrupted replacement and remove what it left. Only a writer calls this."""
    if not run.path.exists():
        left = left_of(run)
        if left is not None:
            left.rename(run.path)
    remove(run.previous)
    remove(run.staging)
    remove(run.unchecked)
    remove(run.trial)
    # Remove what an interrupted export left.
    for name in (ONNX, MANIFEST):
        remove(_beside(run, name))


def remove(path: Path) -> None:
    """Remove a file or folder. The manifest goes first: half a run must not look complete."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path)


def _beside(run: RunDir, name: str) -> Path:
    return run.path.with_name(f".{run.path.name}.{name}")


def _seal(folder: Path) -> None:
    """Flush everything to disk, then write the manifest; give files the modes of the umask."""
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
            # safetensors creates files with mode 0600, which other users cannot read.
            path.chmod(mode)
        fsync(path)
        if name.parts[0] in IN_MANIFEST and name != Path(MODEL, CARD):
            files[name.as_posix()] = _entry(path)
    write_json(folder / MANIFEST, {"files": files})
    fsync(folder / MANIFEST)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        if not path.is_symlink():
            fsync(path)


def _publish(new: Path, run: RunDir) -> None:
    if not run.path.exists():
        new.rename(run.path)
    elif _exchange(new, run.path):
        fsync(run.path.parent)
        remove(new)
    else:
        run.path.rename(run.previous)
        new.rename(run.path)
        fsync(run.path.parent)
        remove(run.previous)
    fsync(run.path.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two directories in one step; return False if the system cannot."""
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


def _entry(path: Path) -> dict[str, Any]:
    """Return what the manifest says about a file."""
    return {"size": path.stat().st_size, "sha256": file_sha256(path)}


def _list_files(run: RunDir, folder: str, files: dict[str, Any]) -> None:
    """Replace a folder's entries in the manifest. A run of schema 0 has no manifest."""
    path = run.path / MANIFEST
    if not path.is_file():
        return
    manifest = read_json(path)
    others = {k: v for k, v in manifest["files"].items() if not k.startswith(f"{folder}/")}
    manifest["files"] = dict(sorted({**others, **files}.items()))
    written = _beside(run, MANIFEST)
    written.write_text(json_text(manifest), encoding="utf-8")
    written.chmod(path.stat().st_mode)
    fsync(written)
    written.replace(path)
    fsync(run.path)


def _to_disk(folder: Path, run: RunDir) -> None:
    """Flush the files of a folder and give them the modes of the run's other files."""
    config = next(path for path in run.path.iterdir() if path.is_file())
    folder.chmod(run.path.stat().st_mode)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(config.stat().st_mode)
            fsync(path)
    fsync(folder)
