"""The cascade in a run directory, loaded without torch: a static student and an exported teacher."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from clx_runtime.cascade import FAST, FILE, Cascade, read_cascade
from clx_runtime.cascade_model import CascadeModel
from clx_runtime.cascade_monitor import Monitor
from clx_runtime.errors import ExportError, RunDirError
from clx_runtime.exported_model import ExportedModel
from clx_runtime.exports import Export
from clx_runtime.forks import renew_after_fork
from clx_runtime.problems import raise_problems
from clx_runtime.run_folder import MODEL, ONNX, export_of_run, listed_files, wrong_sizes
from clx_runtime.safe_files import file_problems
from clx_runtime.settings import FILES
from clx_runtime.static_files import is_static, read_student
from clx_runtime.static_model import StaticModel
from clx_runtime.static_safety import strange_files


class _LazyTeacher:
    """An exported model that is loaded for the first text that the student leaves to it."""

    def __init__(
        self, export: Export, backend: str, device: str | None, threads: int | None
    ) -> None:
        self._arguments = (export, backend, device, threads)
        self._model: ExportedModel | None = None
        self._lock = threading.Lock()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, which another thread of the parent process may hold."""
        self._lock = threading.Lock()

    def __call__(self) -> ExportedModel:
        with self._lock:
            if self._model is None:
                self._model = ExportedModel(*self._arguments)
            return self._model


def cascade_of_run(
    folder: Path, device: str | None, threads: int | None, monitored: bool
) -> tuple[CascadeModel, Cascade, str]:
    """Return the cascade of a run, when its student answers, and the identity of the run.

    Args:
        folder: the run directory.
        device: the device of the teacher.
        threads: the number of threads for one batch of the teacher.
        monitored: whether the teacher checks a share of the student's answers.

    Raises:
        RunNotFoundError: there is no run directory.
        ExportError: the run has no cascade, or one that needs torch.
        RunDirError: a file is damaged or unsafe.
    """
    listed = listed_files(folder) if folder.is_dir() else {}
    if listed and f"{FAST}/{FILE}" not in listed:
        raise ExportError(f"The run in {folder} has no student that answers first: call with_fast")
    problems = file_problems(folder, (FAST,)) or wrong_sizes(folder, listed, FAST)
    student = folder / FAST / MODEL
    if not problems and listed and is_static(student):
        problems = strange_files(student)
    raise_problems(
        RunDirError, f"The run in {folder} is not loaded:", problems, "Call with_fast again."
    )
    cascade = read_cascade(folder / FAST) if listed else None
    if cascade is not None and (cascade.teacher not in FILES or not is_static(student)):
        raise ExportError(
            f"The cascade in {folder} needs torch, for its teacher or its student: predict with clx, or "
            f"export the run, and call with_fast with a static student and an exported teacher"
        )
    export, digest = export_of_run(folder)
    assert cascade is not None
    _check_teacher(folder, cascade, export, listed)
    teacher = _LazyTeacher(export, cascade.teacher, device, threads)
    monitor = Monitor(cascade) if monitored and cascade.monitor else None
    model = CascadeModel(cascade, StaticModel(read_student(student)), teacher, monitor)
    return model, cascade, digest


def _check_teacher(folder: Path, cascade: Cascade, export: Export, listed: dict[str, Any]) -> None:
    """Raise if the export differs from the one that was measured.

    Raises:
        RunDirError: the export differs.
    """
    entry = listed.get(f"{ONNX}/{FILES[cascade.teacher]}")
    known = entry.get("sha256") if isinstance(entry, dict) else None
    same_rule = export.settings.decision == cascade.settings.decision
    same_labels = export.settings.labels == cascade.settings.labels
    if known != cascade.teacher_file or not same_rule or not same_labels:
        raise RunDirError(
            f"The run in {folder} was exported again, or its decisions were changed, since with_fast: "
            f"call it again"
        )
