"""The cascade of a run: whether it exists, and whether it fits the run's current decisions."""

from __future__ import annotations

from pathlib import Path

from clx.errors import ConfigError, NotTrainedError, RunDirError
from clx.ml.prediction.backends import TORCH
from clx.ml.run_directory.layout import ONNX, RunDir
from clx.ml.task.task import Task
from clx_runtime.cascade import FAST, FILE, Cascade, read_cascade
from clx_runtime.settings import FILES


def has_cascade(directory: RunDir) -> bool:
    """Return whether a run has a student that answers first."""
    return f"{FAST}/{FILE}" in directory.listed_files()


def cascade_folder(directory: RunDir) -> Path:
    """Return the run's ``fast/``.

    Raises:
        NotTrainedError: the run has no student.
    """
    if not has_cascade(directory):
        raise NotTrainedError(
            f"The run in {directory.path} has no student that answers first: call "
            f"run.distill(texts, name=...), and run.with_fast(student, data=texts)"
        )
    return directory.fast.path


def check_decisions(task: Task, cascade: Cascade) -> None:
    """Raise if the run's decisions have changed since the margins of its student were chosen.

    Raises:
        ConfigError: it decides otherwise.
    """
    rule = task.decision_rule()
    if rule is None or rule.to_dict() != cascade.settings.decision:
        raise ConfigError(
            f"The decisions of {task.run_name!r} were changed since the margins of its student were "
            f"chosen: call with_fast again"
        )


def cascade_of(directory: RunDir) -> Cascade:
    """Return the rule for when the student of a run answers.

    Args:
        directory: the run.

    Raises:
        NotTrainedError: the run has no student.
        RunDirError: the teacher was exported again since the margins were chosen.
    """
    cascade = read_cascade(cascade_folder(directory))
    if cascade.teacher_file != teacher_file(directory, cascade.teacher):
        raise RunDirError(
            f"The run in {directory.path} was exported again since with_fast measured "
            f"{cascade.teacher!r}: call with_fast again"
        )
    return cascade


def teacher_file(directory: RunDir, backend: str) -> str | None:
    """Return the SHA-256 of a backend's exported model, None for torch or without an export."""
    entry = None if backend == TORCH else directory.manifest().get(f"{ONNX}/{FILES[backend]}")
    return str(entry.get("sha256")) if isinstance(entry, dict) else None
