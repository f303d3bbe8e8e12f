"""Adding a folder to a published run: the run is complete at every instant, before and after."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clx.ml.run_directory.layout import MANIFEST, RunDir, file_sha256


@contextlib.contextmanager
def added_folder(run: RunDir, name: str) -> Iterator[Path]:
    """Give an empty folder to be filled; it becomes ``<run>/<name>``, in the place of an older one.

    The manifest, which says what belongs to the run, is replaced as a whole, first without the old
    folder and last with the new one. What a broken-off call leaves in the run is listed nowhere.
    The caller holds the run's lock.
    """
    new = run.path.with_name(f".{run.path.name}.{name}")
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
        _sync(run.path)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    files = {
        path.relative_to(run.path).as_posix(): {
            "size": path.stat().st_size,
            "sha256": file_sha256(path),
        }
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }
    _list_files(run, name, files)


def _list_files(run: RunDir, folder: str, files: dict[str, Any]) -> None:
    """Replace what the manifest says of a folder; a run of schema 0 has no manifest."""
    path = run.path / MANIFEST
    if not path.is_file():
        return
    manifest = json.loads(path.read_text(encoding="utf-8"))
    others = {k: v for k, v in manifest["files"].items() if not k.startswith(f"{folder}/")}
    manifest["files"] = dict(sorted({**others, **files}.items()))
    written = run.path.with_name(f".{run.path.name}.{MANIFEST}")
    written.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    written.chmod(path.stat().st_mode)
    _sync(written)
    written.replace(path)
    _sync(run.path)


def _to_disk(folder: Path, run: RunDir) -> None:
    """Flush the files, with the modes of the run's other files and folders."""
    config = next(path for path in run.path.iterdir() if path.is_file())
    folder.chmod(run.path.stat().st_mode)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(config.stat().st_mode)
            _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
