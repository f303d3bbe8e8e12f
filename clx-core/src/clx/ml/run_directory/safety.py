"""Whether a run directory may be loaded: its files are checked before any library reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.layout import (
    ENVIRONMENT,
    IN_MANIFEST,
    MANIFEST,
    ONNX,
    RunDir,
)
from clx.ml.run_directory.safe_adapter import adapter_problems
from clx.ml.run_directory.safe_model import model_args_problems, model_problems
from clx.problems import raise_problems
from clx_runtime.safe_export import onnx_problems
from clx_runtime.safe_files import file_problems
from clx_runtime.static_files import is_static
from clx_runtime.static_safety import static_problems

REMEDY = "Restore it from a copy that you trust, or train again with overwrite=True."

_READ = (MANIFEST, ENVIRONMENT, *IN_MANIFEST)


def refuse_unsafe(
    directory: RunDir, trusted: bool, config: Mapping[str, Any] | None = None
) -> None:
    """Refuse a run directory that could harm whoever loads it. Nothing is loaded for this check.

    Args:
        directory: the run.
        trusted: whether the caller allows code from the directory in this call.
        config: the content of ``config.json``, if the options come from there.

    Raises:
        RunDirError: the directory is unsafe; one message lists all problems.
    """
    problems = file_problems(directory.path, _READ)
    if not problems:
        problems = _model_problems(directory, trusted)
        if directory.fast.path.is_dir():
            problems += [f"fast/{problem}" for problem in _model_problems(directory.fast, False)]
        problems += onnx_problems(directory.path / ONNX, directory.model)
        problems += adapter_problems(directory.adapter)
    model_args = (config or {}).get("model_args")
    if isinstance(model_args, dict) and not trusted:
        problems += model_args_problems(model_args)
    raise_problems(RunDirError, f"The run in {directory.path} is not loaded:", problems, REMEDY)


def _model_problems(directory: RunDir, trusted: bool) -> list[str]:
    if is_static(directory.model):
        return static_problems(directory.model)
    return model_problems(directory.model, trusted)
