"""Whether a run directory may be loaded: asked of its files before any library reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.layout import (
    CONFIG,
    ENVIRONMENT,
    EXTRA,
    MANIFEST,
    MODEL,
    ONNX,
    RESULTS,
    RunDir,
)
from clx.ml.run_directory.untrusted_files import file_problems
from clx.ml.run_directory.untrusted_model import model_args_problems, model_problems
from clx.ml.run_directory.untrusted_onnx import onnx_problems
from clx.problems import raise_problems

REMEDY = "Restore it from a copy you trust, or train again with overwrite=True."

_READ = (CONFIG, MANIFEST, RESULTS, ENVIRONMENT, MODEL, ONNX, EXTRA)


def refuse_unsafe(
    directory: RunDir, trusted: bool, config: Mapping[str, Any] | None = None
) -> None:
    """Refuse a run directory that would harm whoever loads it; nothing in it is loaded for this.

    Args:
        directory: the run.
        trusted: whether the caller allows code from the directory in this call.
        config: what ``config.json`` says, when the options come from there.

    Raises:
        RunDirError: everything that is wrong, in one message.
    """
    problems = file_problems(directory.path, _READ)
    if not problems:
        problems = model_problems(directory.model, trusted)
        problems += onnx_problems(directory.path / ONNX, directory.model)
    model_args = (config or {}).get("model_args")
    if isinstance(model_args, dict) and not trusted:
        problems += model_args_problems(model_args)
    raise_problems(RunDirError, f"The run in {directory.path} is not loaded:", problems, REMEDY)
