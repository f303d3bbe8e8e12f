"""What is known of a saved run from its files, without opening it: no torch is needed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from clx.ml.machine.disk import readable as readable_size
from clx.ml.run_directory.files import read_json_or_empty
from clx.ml.run_directory.layout import CONFIG, ENVIRONMENT, MANIFEST, RunDir

__all__ = ["environment", "readable_size", "sizes", "trained_at"]


def trained_at(run: RunDir) -> datetime:
    """Return when the run was written, by its newest file of ours; a copy may have its own time."""
    manifest = run.path / MANIFEST
    file = manifest if manifest.is_file() else run.path / CONFIG
    return datetime.fromtimestamp(file.stat().st_mtime).astimezone()


def environment(run: RunDir) -> dict[str, Any]:
    """Return the versions and platform that the run was trained with, empty if that is not known."""
    return read_json_or_empty(run.path / ENVIRONMENT)


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file and folder of a run directory, sorted by name."""
    return {path.name: _size(path) for path in sorted(folder.iterdir())}


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())
