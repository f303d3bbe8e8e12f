"""The arguments of ``with_fast``, and the backend that it chooses."""

from __future__ import annotations

from typing import Any

from clx.errors import ConfigError, NotTrainedError
from clx.ml.prediction.backends import EXPORTED, TORCH
from clx.ml.prediction.exported import exported_folder
from clx.ml.run_directory.layout import ONNX, RunDir
from clx.problems import cell, did_you_mean, names, raise_problems
from clx_runtime.exports import SAME_DECISIONS, export_in
from clx_runtime.sessions import installed
from clx_runtime.settings import FILES, SETTINGS


def checked_arguments(min_agreement: Any, data: Any, monitor: Any) -> None:
    """Refuse arguments of ``with_fast`` that have wrong values.

    Raises:
        ConfigError: the message names all of them.
    """
    problems = []
    if not _is_number(min_agreement) or not 0 < min_agreement < 1:
        problems.append(
            f"min_agreement must be a number between 0 and 1, but is {cell(min_agreement)}"
        )
    if not _is_number(monitor) or not 0 <= monitor <= 1:
        problems.append(f"monitor must be a number from 0 to 1, but is {cell(monitor)}")
    if data is None:
        problems.append(
            "data is needed: texts that the student has not learned from, with or without labels"
        )
    raise_problems(ConfigError, "with_fast() cannot choose a margin:", problems)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def chosen_teacher(directory: RunDir, teacher: Any) -> str:
    """Return the backend that answers what the student leaves.

    Args:
        directory: the run.
        teacher: the caller's choice; None for the fastest export with enough equal decisions, or torch.

    Raises:
        ConfigError: there is no such backend.
        NotTrainedError: the run was not exported for it.
    """
    if teacher is None:
        return _fastest(directory)
    known = (TORCH, *EXPORTED)
    if teacher not in known:
        raise ConfigError(
            f"teacher must be one of {names(known)}, but is {cell(teacher)}"
            f"{did_you_mean(str(teacher), known)}"
        )
    if teacher != TORCH:
        exported_folder(directory, teacher)
    return str(teacher)


def _fastest(directory: RunDir) -> str:
    if f"{ONNX}/{SETTINGS}" not in directory.listed_files():
        return TORCH
    export = export_in(directory.path / ONNX)
    backend = export.best_backend(installed(FILES))
    checks = export.report.get("checks")
    check = checks.get(backend) if isinstance(checks, dict) else None
    share = check.get("equal_decisions") if isinstance(check, dict) else None
    is_good = isinstance(share, int | float) and share >= SAME_DECISIONS
    try:
        exported_folder(directory, backend)
    except NotTrainedError:
        return TORCH
    return backend if is_good and backend in installed([backend]) else TORCH
