"""The folder of a run's exported model, and what an export needs to know about its task."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clx.errors import NotTrainedError
from clx.ml.run_directory.files import json_text
from clx.ml.run_directory.layout import MANIFEST, ONNX, RunDir
from clx.ml.task.task import Task
from clx_runtime.files import read_json
from clx_runtime.settings import FILES, SETTINGS, TOKENIZER
from clx_runtime.static_files import STUDENT

_DECIDING = ("post_process_prediction", "decide", "prediction_row")


def python_methods(task: Task) -> list[str]:
    """Return the methods that compute a task's predictions instead of its decision rule."""
    return [name for name in _DECIDING if getattr(type(task), name) is not getattr(Task, name)]


def needed(backend: str) -> str:
    """Return the packages that this backend needs besides the extra ``onnx``, for a message."""
    if backend == "openvino-int8":
        return " (for this backend it needs: pip install openvino nncf)"
    return ""


def decision_settings(task: Task) -> dict[str, Any]:
    """Return the settings of an export that describe the task's current decisions."""
    rule = task.decision_rule()
    return {"decision": None if rule is None else rule.to_dict(), "python": python_methods(task)}


def settings_files(directory: RunDir) -> dict[Path, Mapping[str, Any]]:
    """Return the settings that say how a run decides without clx, by the file that holds them."""
    found: dict[Path, Mapping[str, Any]] = {}
    exported, student = directory.path / ONNX / SETTINGS, directory.model / STUDENT
    if exported.is_file():
        found[exported] = read_json(exported)
    if student.is_file():
        found[student] = read_json(student).get("settings", {})
    return found


def with_settings(path: Path, settings: Mapping[str, Any]) -> str:
    """Return the new text of a file of :func:`settings_files`."""
    values = {**read_json(path), "settings": settings} if path.name == STUDENT else settings
    return json_text(values)


def exported_folder(directory: RunDir, backend: str) -> Path:
    """Return the run's ``onnx/`` after checking that it has all files of the backend.

    Raises:
        NotTrainedError: the run was not exported for this backend.
    """
    folder = directory.path / ONNX
    is_there = all((folder / name).is_file() for name in (FILES[backend], SETTINGS, TOKENIZER))
    if is_there and (directory.path / MANIFEST).is_file():
        # The manifest does not list the files of an interrupted export.
        is_there = f"{ONNX}/{SETTINGS}" in directory.listed_files()
    if not is_there:
        raise NotTrainedError(
            f"The run in {directory.path} was not exported for backend={backend!r}: call "
            f'run.export("onnx"), or clx export {directory.path.name}{needed(backend)}'
        )
    return folder
