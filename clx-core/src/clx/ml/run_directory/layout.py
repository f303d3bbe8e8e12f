"""The run directory: its file names and how it is read; ``staging.py`` is how one is written.

The names beside ``<run>`` are ``.<run>.staging`` (being written), ``.<run>.previous`` (being
replaced, only where two renames are needed) and ``.<run>.lock``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import RunDirError, RunNotFoundError
from clx.ml.machine.disk import full_disk_named
from clx.ml.run_directory.config import read_config
from clx.ml.run_directory.untrusted_files import json_object, read_text

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
EXTRA = "extra"

OUR_NAMES = frozenset(
    {CONFIG, MODEL, RESULTS, ENVIRONMENT, LOGS, CHECKPOINTS, MANIFEST, REPORT, ONNX, EXTRA}
)
"""What clx writes into a run directory; anything else is the user's and is carried over."""

IN_MANIFEST = (CONFIG, RESULTS, MODEL, ONNX, EXTRA)

_LOOKS = 20
_BETWEEN_LOOKS_S = 0.02


@dataclass(frozen=True)
class RunDir:
    """One run directory at ``path``, which may not exist."""

    path: Path

    @property
    def model(self) -> Path:
        """The folder that plain transformers reads."""
        return self.path / MODEL

    @property
    def extra(self) -> Path:
        """The folder of a task's own files."""
        return self.path / EXTRA

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
        """Return what tells this content from what may take its place later.

        An export adds to a run and leaves it the one that it was.
        """
        if not (self.path / MANIFEST).is_file():
            return hashlib.sha256(self._read(CONFIG).encode()).hexdigest()
        files = self._json(MANIFEST).get("files")
        if isinstance(files, dict):
            files = {k: v for k, v in files.items() if not k.startswith(f"{ONNX}/")}
        return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()

    def manifest(self) -> dict[str, Any]:
        """Return the size and SHA-256 of each file that counts; empty when there is no manifest.

        Raises:
            RunDirError: the manifest is damaged.
        """
        if not (self.path / MANIFEST).is_file():
            return {}
        files = self._json(MANIFEST).get("files")
        if not isinstance(files, dict):
            raise RunDirError(f"{self.path / MANIFEST} has no list of files")
        return files

    def check(self, hashes: bool = False) -> None:
        """Compare the files with the manifest: their sizes, and their SHA-256 if ``hashes``.

        Raises:
            RunDirError: files are missing or differ; all of them are named.
        """
        files = self.manifest()
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

    def listed_files(self) -> set[str]:
        """Return the names of the files that the manifest lists, none without a manifest."""
        if not (self.path / MANIFEST).is_file():
            return set()
        return set(self._json(MANIFEST).get("files", {}))

    def _read(self, name: str) -> str:
        return read_text(self.path / name)

    def _json(self, name: str) -> dict[str, Any]:
        return json_object(self._read(name), self.path / name)


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
        left = left_of(run)
        # A writer may be between its two renames: soon the run is where it belongs.
        for _ in range(_LOOKS if left else 0):
            if path.exists():
                return find_run(path)
            time.sleep(_BETWEEN_LOOKS_S)
        if left is not None:
            return RunDir(left)
        raise RunNotFoundError(f"There is no run directory {path}")
    if not run.is_complete():
        unfinished = (
            " (a training was begun there and not finished)" if run.checkpoints.is_dir() else ""
        )
        what = "file" if path.is_file() else "folder"
        raise RunDirError(f"The {what} {path} holds no trained run{unfinished}")
    return run


def left_of(run: RunDir) -> Path | None:
    """Return the complete content that a replacement left beside ``run``, if it was broken off."""
    # Between two renames both are complete: the new one is, since its manifest is last.
    if (run.staging / MANIFEST).is_file():
        return run.staging
    return run.previous if RunDir(run.previous).is_complete() else None


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
        with full_disk_named(folder):
            yield
    except RunDirError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise RunDirError(f"{folder} cannot be written: {reason}. Choose another place.") from error


def write_json(path: Path, value: Any) -> None:
    """Write JSON that people can read, in UTF-8; the file is complete or as it was before."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text + "\n", encoding="utf-8")
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
