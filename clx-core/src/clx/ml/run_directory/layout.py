"""The files of a run directory and how they are read; ``staging.py`` writes them.

Beside ``<run>`` there may be ``.<run>.staging`` (being written), ``.<run>.unchecked`` (written, and
being checked), ``.<run>.rejected`` (failed the check), ``.<run>.previous`` (being replaced, only where
two renames are needed), ``.<run>.lock``, ``.<run>.tuning.db`` (the trials of a tuning) and
``.<run>.trial`` (the checkpoints of the trial in progress).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.config import read_config
from clx_runtime.cascade import FAST
from clx_runtime.files import file_sha256, read_json, read_text
from clx_runtime.run_folder import run_identity

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
ADAPTER = "adapter"

LEARNED_HASHES = "learned.npy"
"""The file of the hashes of the texts that a student has learned from, in its ``extra/``.

It stays on this machine: anyone with a text could find out whether the student has seen it.
"""

PARTS: tuple[str, ...] = (MODEL, ONNX, EXTRA, ADAPTER, FAST)
"""The folders that make up a run: the manifest lists their files, and sharing a run shares them."""

CARD = "README.md"
"""The name of the model card in ``model/``. Its owner may edit it, so no manifest lists it."""

IN_MANIFEST: tuple[str, ...] = (CONFIG, RESULTS, *PARTS)

NOTE = "note.txt"
"""The file of the user's note about the run. It is not in :data:`OUR_NAMES`: a new training keeps it."""

OUR_NAMES = frozenset({*IN_MANIFEST, ENVIRONMENT, LOGS, CHECKPOINTS, MANIFEST, REPORT})
"""What clx writes into a run directory; anything else belongs to the user and is kept."""


@dataclass(frozen=True)
class RunDir:
    """One run directory at ``path``, which may not exist."""

    path: Path

    @property
    def model(self) -> Path:
        """The folder that transformers reads without clx."""
        return self.path / MODEL

    @property
    def extra(self) -> Path:
        """The folder for a task's own files."""
        return self.path / EXTRA

    @property
    def adapter(self) -> Path:
        """The folder of the adapter's files, for PEFT; clx itself never loads them."""
        return self.path / ADAPTER

    @property
    def fast(self) -> RunDir:
        """The folder of the student that answers first; it is a run directory of its own."""
        return RunDir(self.path / FAST)

    @property
    def checkpoints(self) -> Path:
        """The folder for the state of a training in progress."""
        return self.path / CHECKPOINTS

    @property
    def staging(self) -> Path:
        """The folder that the next content is written to."""
        return self.path.with_name(f".{self.path.name}.staging")

    @property
    def unchecked(self) -> Path:
        """The folder of new content while it is checked; no reader opens it, even after a kill."""
        return self.path.with_name(f".{self.path.name}.unchecked")

    @property
    def rejected(self) -> Path:
        """The folder of the last new content that failed its check, until the run is replaced."""
        return self.path.with_name(f".{self.path.name}.rejected")

    @property
    def previous(self) -> Path:
        """The folder that holds the old content between two renames."""
        return self.path.with_name(f".{self.path.name}.previous")

    @property
    def lock(self) -> Path:
        """The lock file. It lies beside the directory, which is replaced."""
        return self.path.with_name(f".{self.path.name}.lock")

    @property
    def study(self) -> Path:
        """The SQLite file of the trials of a tuning."""
        return self.path.with_name(f".{self.path.name}.tuning.db")

    @property
    def trial(self) -> Path:
        """The folder for the checkpoints of a trial in progress."""
        return self.path.with_name(f".{self.path.name}.trial")

    def is_complete(self) -> bool:
        """Return whether there is a trained run: a config, and a manifest or (schema 0) a model."""
        if not (self.path / CONFIG).is_file():
            return False
        if (self.path / MANIFEST).is_file():
            return True
        return self.model.is_dir() and self.read_config()["schema_version"] == 0

    def read_config(self) -> dict[str, Any]:
        """Return the config.

        Raises:
            RunDirError: the config is missing, damaged, or from a newer clx.
        """
        return read_config(read_text(self.path / CONFIG), str(self.path / CONFIG))

    def read_results(self) -> dict[str, Any]:
        """Return ``results.json``, ``{}`` if the file is missing.

        Raises:
            RunDirError: the file is damaged.
        """
        if not (self.path / RESULTS).is_file():
            return {}
        return read_json(self.path / RESULTS)

    def identity(self) -> str:
        """Return a digest that changes when other content takes this content's place.

        An export adds files to the run, as a cascade does, and does not change the digest.
        """
        if not (self.path / MANIFEST).is_file():
            return hashlib.sha256(read_text(self.path / CONFIG).encode()).hexdigest()
        return run_identity(read_json(self.path / MANIFEST).get("files"))

    def manifest(self) -> dict[str, Any]:
        """Return the size and SHA-256 of each listed file, ``{}`` if there is no manifest.

        Raises:
            RunDirError: the manifest is damaged.
        """
        if not (self.path / MANIFEST).is_file():
            return {}
        files = read_json(self.path / MANIFEST).get("files")
        if not isinstance(files, dict):
            raise RunDirError(f"{self.path / MANIFEST} has no list of files")
        return files

    def check(self, hashes: bool = False) -> None:
        """Compare the files with the manifest: their sizes, and their SHA-256 if ``hashes``.

        Raises:
            RunDirError: files are missing or differ; the message names all of them.
        """
        files = self.manifest()
        bad = [
            f"{name} ({reason})"
            for name, expected in files.items()
            # Earlier versions of clx listed the card.
            if name != f"{MODEL}/{CARD}"
            and (reason := _difference(self.path, name, expected, hashes))
        ]
        if bad:
            raise RunDirError(
                f"The run in {self.path} is damaged: {', '.join(bad)}. Restore it from a copy or "
                f"train again with overwrite=True."
            )

    def listed_files(self) -> set[str]:
        """Return the names of the files that the manifest lists, an empty set without a manifest."""
        if not (self.path / MANIFEST).is_file():
            return set()
        return set(read_json(self.path / MANIFEST).get("files", {}))


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
