"""Facts about a saved run that come from its files alone, without torch."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from clx.ml.run_directory.layout import CONFIG, ENVIRONMENT, MANIFEST, RunDir
from clx_runtime.files import read_json_or_empty


def trained_at(run: RunDir) -> datetime:
    """Return when the run was written: the time of its manifest, or of its config if it has none."""
    manifest = run.path / MANIFEST
    file = manifest if manifest.is_file() else run.path / CONFIG
    return datetime.fromtimestamp(file.stat().st_mtime).astimezone()


def environment(run: RunDir) -> dict[str, Any]:
    """Return the versions and platform that the run was trained with; empty if they are unknown."""
    return read_json_or_empty(run.path / ENVIRONMENT)


def sizes(folder: Path) -> dict[str, int]:
    """Return the size in bytes of each file and folder in a run directory, sorted by name."""
    return {path.name: _size(path) for path in sorted(folder.iterdir())}


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())
