"""The exported model in a run directory."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from clx_runtime.cascade import FAST
from clx_runtime.errors import ExportError, RunDirError, RunNotFoundError
from clx_runtime.exports import Export, export_in, export_of_student
from clx_runtime.files import read_json
from clx_runtime.problems import raise_problems
from clx_runtime.safe_export import onnx_problems
from clx_runtime.safe_files import file_problems
from clx_runtime.settings import MODEL_FILES, SETTINGS
from clx_runtime.static_files import is_static, read_student
from clx_runtime.static_safety import CARD, strange_files

MANIFEST = "manifest.json"
CONFIG = "config.json"
MODEL = "model"
ONNX = "onnx"


def run_identity(files: Any) -> str:
    """Return a digest that changes when other content replaces that of a run directory.

    An export or a cascade adds files to the run and does not change the digest.

    Args:
        files: the entries of the manifest.
    """
    if isinstance(files, dict):
        files = {k: v for k, v in files.items() if not k.startswith((f"{ONNX}/", f"{FAST}/"))}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def export_of_run(folder: Path) -> tuple[Export, str]:
    """Return the export or the static student in a run directory, and the identity of the run.

    Raises:
        RunNotFoundError: there is no run directory.
        ExportError: the run was not exported.
        RunDirError: a file is damaged or unsafe; the message lists all problems.
    """
    if not (folder / CONFIG).is_file():
        raise RunNotFoundError(
            f"There is no run in {folder}, and it is not an archive of clx export"
        )
    raise_problems(
        RunDirError,
        f"The run in {folder} is not loaded:",
        file_problems(folder, (MANIFEST, CONFIG, MODEL, ONNX)),
        "Restore it from a copy that you trust.",
    )
    files = listed_files(folder)
    if is_static(folder / MODEL):
        return _student_of_run(folder, files), run_identity(files)
    if f"{ONNX}/{SETTINGS}" not in files:
        raise ExportError(f"The run in {folder} was not exported: clx export {folder}")
    raise_problems(
        RunDirError,
        f"The run in {folder} is not loaded:",
        wrong_sizes(folder, files, ONNX) or onnx_problems(folder / ONNX, folder / MODEL),
        "Export it again.",
    )
    export = export_in(folder / ONNX)
    if not export.weights:
        raise RunDirError(f"{folder / ONNX} has none of {', '.join(MODEL_FILES)}: export again")
    return export, run_identity(files)


def listed_files(folder: Path) -> dict[str, Any]:
    """Return the entries of a run's manifest, empty without a manifest.

    Raises:
        RunDirError: the manifest is damaged.
    """
    if not (folder / MANIFEST).is_file():
        return {}
    files = read_json(folder / MANIFEST).get("files")
    if not isinstance(files, dict):
        raise RunDirError(f"{folder / MANIFEST} has no list of files")
    return files


def _student_of_run(folder: Path, files: dict[str, Any]) -> Export:
    raise_problems(
        RunDirError,
        f"The static student in {folder} is not loaded:",
        wrong_sizes(folder, files, MODEL) or strange_files(folder / MODEL),
        "Restore it from a copy that you trust, or distill the run again.",
    )
    return export_of_student(read_student(folder / MODEL))


def wrong_sizes(folder: Path, files: dict[str, Any], part: str) -> list[str]:
    """Return a problem for each file of a part of the run whose size differs from the manifest."""
    return [
        f"{name} does not have the size that the manifest says"
        for name, entry in files.items()
        # The card may be edited, and earlier versions of clx listed it.
        if name.startswith(f"{part}/") and name != f"{MODEL}/{CARD}"
        if not _has_size(folder / name, entry)
    ]


def _has_size(path: Path, entry: Any) -> bool:
    size = entry.get("size") if isinstance(entry, dict) else None
    return path.is_file() and path.stat().st_size == size
