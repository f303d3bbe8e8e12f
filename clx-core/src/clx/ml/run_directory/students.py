"""Refuse what a run that is a static student cannot do."""

from __future__ import annotations

from clx.errors import ConfigError
from clx.ml.run_directory.config import STUDENT_OF
from clx.ml.run_directory.layout import RunDir
from clx_runtime.static_files import is_static


def is_student(directory: RunDir) -> bool:
    """Return whether a run directory holds a static student, which is no transformers model."""
    return is_static(directory.model)


def teacher_of(directory: RunDir) -> str:
    """Return `` of the run 'name'`` for a message about a student, empty if its config names none."""
    entry = directory.read_config().get(STUDENT_OF)
    name = entry.get("run_name") if isinstance(entry, dict) else None
    return f" of the run {name!r}" if isinstance(name, str) else ""


def refuse_student(directory: RunDir, what: str) -> None:
    """Refuse what needs a transformers model, if the run is a static student.

    Args:
        directory: a trained run.
        what: the method or attribute, such as ``run.pipe``.

    Raises:
        ConfigError: the message names the teacher.
    """
    if is_student(directory):
        raise ConfigError(
            f"{what} needs a transformers model, but the run {directory.path.name!r} is a static "
            f"student{teacher_of(directory)}. Do this with its teacher, and distill that again with "
            f"distill(...). clx_runtime.load({str(directory.path)!r}) reads the student as it is, "
            f"without torch."
        )
