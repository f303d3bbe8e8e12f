"""The exported model in a run directory."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from clx_runtime.cascade import FAST
from clx_runtime.errors import ExportError, RunDirError, RunNotFoundError
from clx_runtime.exports import Export, export_in
from clx_runtime.files import read_json
from clx_runtime.problems import raise_problems
from clx_runtime.safe_export import onnx_problems
from clx_runtime.safe_files import file_problems
from clx_runtime.settings import MODEL_FILES, SETTINGS

MANIFEST = "manifest.json"
CONFIG = "config.json"
MODEL = "model"
ONNX = "onnx"


def run_identity(files: Any) -> str:
    """Return a digest that changes when other content takes the content of a run directory's place.

    An export adds files to the run, as a cascade does, and does not change the digest.

    Args:
        files: the entries of the manifest.
    """
    if isinstance(files, dict):
        files = {k: v for k, v in files.items() if not k.startswith((f"{ONNX}/", f"{FAST}/"))}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def export_of_run(folder: Path) -> tuple[Export, str]:
    """Return the export in a run directory, and the identity of the run.

    Raises:
        RunNotFoundError: there is no run directory.
        ExportError: the run was not exported.
        RunDirError: a file is damaged or unsafe; the message lists all problems.
    """
    if not (folder / CONFIG).is_file():
        raise RunNotFoundError(f"There is no run in {folder}, and it is no archive of clx export")
    raise_problems(
        RunDirError,
        f"The run in {folder} is not loaded:",
        file_problems(folder, (MANIFEST, CONFIG, MODEL, ONNX)),
        "Restore it from a copy that you trust.",
    )
    files = _listed(folder)
    if f"{ONNX}/{SETTINGS}" not in files:
        raise ExportError(f"The run in {folder} was not exported: clx export {folder}")
    exported = {name: entry for name, entry in files.items() if name.startswith(f"{ONNX}/")}
    problems = [
        f"{name} has not the size that the manifest says"
        for name, entry in exported.items()
        if not _has_size(folder / name, entry)
    ]
    raise_problems(
        RunDirError,
        f"The run in {folder} is not loaded:",
        problems or onnx_problems(folder / ONNX, folder / MODEL),
        "Export it again.",
    )
    export = export_in(folder / ONNX)
    if not export.weights:
        raise RunDirError(f"{folder / ONNX} has none of {', '.join(MODEL_FILES)}: export again")
    return export, run_identity(files)


def _listed(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).is_file():
        return {}
    files = read_json(folder / MANIFEST).get("files")
    if not isinstance(files, dict):
        raise RunDirError(f"{folder / MANIFEST} has no list of files")
    return files


def _has_size(path: Path, entry: Any) -> bool:
    size = entry.get("size") if isinstance(entry, dict) else None
    return path.is_file() and path.stat().st_size == size
