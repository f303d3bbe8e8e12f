"""Facts about a saved run that come from its files alone, without torch."""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any

from clx.ml.run_directory.layout import CONFIG, ENVIRONMENT, MANIFEST, RESULTS, RunDir
from clx_runtime.files import read_json_or_empty

_FINISHED = "%Y-%m-%d %H:%M:%S %z"
"""How a training writes the time at which it finished."""


def trained_at(run: RunDir) -> datetime:
    """Return when the training of a run finished.

    If its results do not say, it is the time of a file: of the first of these that exists, since an
    export or another change of the run rewrites the later ones.
    """
    finished = read_json_or_empty(run.path / RESULTS).get("finished")
    with contextlib.suppress(ValueError):
        return datetime.strptime(str(finished), _FINISHED).astimezone()
    files = (run.path / name for name in (ENVIRONMENT, MANIFEST, CONFIG))
    file = next((file for file in files if file.is_file()), run.path)
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
