"""The run directory: its file names, how it is read, and how a new one replaces an old one.

A training writes a whole new directory beside the target, flushes it to disk, writes the manifest
last, and takes the target's place by rename. So the target is always one complete run or the
other. The names beside ``<run>`` are ``.<run>.staging`` (being written), ``.<run>.previous``
(being replaced, only where two renames are needed) and ``.<run>.lock``.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import RunDirError, RunNotFoundError
from clx.ml.config import read_config

CONFIG = "config.json"
MODEL = "model"
RESULTS = "results.json"
ENVIRONMENT = "environment.json"
LOGS = "logs"
METRICS_LOG = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
MANIFEST = "manifest.json"

REPORT = "report.html"
ONNX = "onnx"

OUR_NAMES = frozenset(
    {CONFIG, MODEL, RESULTS, ENVIRONMENT, LOGS, CHECKPOINTS, MANIFEST, REPORT, ONNX}
)
"""What clx writes into a run directory; anything else is the user's and is carried over."""

_IN_MANIFEST = (CONFIG, RESULTS, MODEL, ONNX)
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


@dataclass(frozen=True)
class RunDir:
    """One run directory at ``path``, which may not exist."""

    path: Path

    @property
    def model(self) -> Path:
        """The folder that plain transformers reads."""
        return self.path / MODEL

    @property
    def checkpoints(self) -> Path:
        """Where the state of a training in progress lives."""
        return self.path / CHECKPOINTS

    @property
    def staging(self) -> Path:
        """Where the next content is written."""
        return self.path.with_name(f".{self.path.name}.staging")

    @property
    def previous(self) -> Path:
        """Where the old content is for the moment between two renames."""
        return self.path.with_name(f".{self.path.name}.previous")

    @property
    def lock(self) -> Path:
        """The lock file; beside the directory, since that is replaced."""
        return self.path.with_name(f".{self.path.name}.lock")

    def is_complete(self) -> bool:
        """Return whether there is a trained run: a config with its manifest or, of schema 0, a model."""
        if not (self.path / CONFIG).is_file():
            return False
        if (self.path / MANIFEST).is_file():
            return True
        return self.model.is_dir() and self.read_config()["schema_version"] == 0

    def read_config(self) -> dict[str, Any]:
        """Return the config.

        Raises:
            RunDirError: it is missing, damaged or of a newer clx.
        """
        return read_config(self._read(CONFIG), str(self.path / CONFIG))

    def read_results(self) -> dict[str, Any]:
        """Return ``results.json``, empty if there is none.

        Raises:
            RunDirError: it is damaged.
        """
        if not (self.path / RESULTS).is_file():
            return {}
        return self._json(RESULTS)

    def identity(self) -> str:
        """Return what tells this content from what may take its place later."""
        name = MANIFEST if (self.path / MANIFEST).is_file() else CONFIG
        return hashlib.sha256(self._read(name).encode()).hexdigest()

    def check(self, hashes: bool = False) -> None:
        """Compare the files with the manifest: their sizes, and their SHA-256 if ``hashes``.

        Raises:
            RunDirError: files are missing or differ; all of them are named.
        """
        if not (self.path / MANIFEST).is_file():
            return
        files = self._json(MANIFEST).get("files")
        if not isinstance(files, dict):
            raise RunDirError(f"{self.path / MANIFEST} has no list of files")
        bad = [
            f"{name} ({reason})"
            for name, expected in files.items()
            if (reason := _difference(self.path, name, expected, hashes))
        ]
        if bad:
            raise RunDirError(
                f"The run in {self.path} is damaged: {', '.join(bad)}. Restore it from a copy or "
                f"train again with overwrite=True."
            )

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunDirError(f"{self.path / name} cannot be read: {error}") from error

    def _json(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(self._read(name))
        except (ValueError, RecursionError) as error:
            raise RunDirError(f"{self.path / name} is not valid JSON ({error})") from error
        if not isinstance(value, dict):
            raise RunDirError(f"{self.path / name} is not a JSON object")
        return value


def _difference(folder: Path, name: str, expected: Any, hashes: bool) -> str | None:
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute() or not isinstance(expected, dict):
        return "not an entry of a manifest"
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != expected.get("size"):
        return f"{size} bytes instead of {expected.get('size')}"
    if hashes and file_sha256(path) != expected.get("sha256"):
        return "its SHA-256 differs"
    return None


def find_run(path: Path) -> RunDir:
    """Return the run at ``path``, or the one that a broken-off replacement left beside it.

    Raises:
        RunNotFoundError: there is none.
        RunDirError: there is a folder, but no complete run in it.
    """
    run = RunDir(path)
    if not path.exists():
        for left in (run.staging, run.previous):
            # Between two renames both are complete: the new one is, since its manifest is last.
            if (left / MANIFEST).is_file():
                return RunDir(left)
        raise RunNotFoundError(f"There is no run directory {path}")
    if not run.is_complete():
        unfinished = (
            " (a training was begun there and not finished)" if run.checkpoints.is_dir() else ""
        )
        what = "file" if path.is_file() else "folder"
        raise RunDirError(f"The {what} {path} holds no trained run{unfinished}")
    return run


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say which folder it was when something cannot be written.

    Raises:
        RunDirError: in place of the system's error.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise RunDirError(f"{folder} cannot be written: {reason}. Choose another place.") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON that people can read, in UTF-8."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


@contextlib.contextmanager
def staged(run: RunDir) -> Iterator[RunDir]:
    """Give an empty directory beside ``run`` to be filled; it takes the run's place at the end.

    When the body raises, the run stays as it was and the staging directory is removed.
    """
    recover(run)
    new = RunDir(run.staging)
    _remove(new.path)
    new.path.mkdir(parents=True)
    try:
        yield new
        _seal(new.path)
    except BaseException:
        _remove(new.path)
        raise
    _publish(new.path, run)


def recover(run: RunDir) -> None:
    """Finish a replacement that was broken off between its two renames. Only a writer calls this."""
    if run.previous.exists() and not run.path.exists():
        complete = (run.staging / MANIFEST).is_file()
        (run.staging if complete else run.previous).rename(run.path)
    _remove(run.previous)


def _seal(folder: Path) -> None:
    """Write the manifest last, with everything before it on disk; give files the umask's modes."""
    umask = os.umask(0)
    os.umask(umask)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            # safetensors writes its files 0600, which another user cannot read.
            path.chmod(0o666 & ~umask)
            _fsync(path)
    files = {
        path.relative_to(folder).as_posix(): {
            "size": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] in _IN_MANIFEST
    }
    write_json(folder / MANIFEST, {"files": files})
    _fsync(folder / MANIFEST)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        _fsync(path)


def _publish(new: Path, run: RunDir) -> None:
    if not run.path.exists():
        new.rename(run.path)
    elif _exchange(new, run.path):
        _fsync(run.path.parent)
        _remove(new)
    else:
        run.path.rename(run.previous)
        new.rename(run.path)
        _fsync(run.path.parent)
        _remove(run.previous)
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


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
