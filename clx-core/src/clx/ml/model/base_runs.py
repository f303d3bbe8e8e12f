"""Trained runs as base models: found by their directory or name, and recorded by name and content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from clx.errors import RunDirError
from clx.ml.run_directory.config import run_name_problems
from clx.ml.run_directory.finding import find_run, left_of, locate, saved_runs
from clx.ml.run_directory.hub_address import is_address
from clx.ml.run_directory.layout import MODEL, RunDir
from clx.ml.run_directory.safety import refuse_unsafe
from clx.ml.run_directory.students import refuse_student
from clx.ml.task.presets import PRESETS
from clx.problems import did_you_mean
from clx.settings import runs_dir


def run_in(folder: Path) -> RunDir | None:
    """Return the trained run in a folder, None if the folder is not a run directory."""
    try:
        return RunDir(folder) if RunDir(folder).is_complete() else None
    except RunDirError:
        # The config.json of a model names no task.
        return None


def run_called(name: str, near: Path | None = None) -> RunDir | None:
    """Return the run with a name or an address on the Hub, None if no run has that name.

    Args:
        name: the name of a run, or ``hf://owner/name``.
        near: the folder to search before the default one, such as the parent of the new run.
    """
    if is_address(name):
        return find_run(locate(name))
    if run_name_problems(name):
        return None
    for parent in dict.fromkeys((near or runs_dir(), runs_dir())):
        if run_in(parent / name) is not None or left_of(RunDir(parent / name)) is not None:
            return find_run(parent / name)
    return None


def closest_run(name: str, near: Path | None = None) -> str:
    """Return a hint at the run whose name is closest, an empty string if no name is close."""
    parents = dict.fromkeys((near or runs_dir(), runs_dir()))
    return did_you_mean(name, [run.name for parent in parents for run in saved_runs(parent)])


def model_of(run: RunDir, trusted: bool) -> Path:
    """Return the model folder of a run that is complete and safe to load.

    Raises:
        RunDirError: the run is damaged or unsafe.
        ConfigError: the run is a static student.
    """
    refuse_student(run, "base_model_name")
    run.check()
    refuse_unsafe(run, trusted)
    return run.model


def run_of_model(folder: Path) -> RunDir | None:
    """Return the run that a model folder belongs to, None if it belongs to none."""
    return run_in(folder.parent) if folder.name == MODEL else None


def record_of(run: RunDir) -> dict[str, Any]:
    """Return the entry of a config for a run: its name and content, because paths differ elsewhere."""
    config = run.read_config()
    return {
        "run_name": run.path.name,
        "fingerprint": run.identity(),
        "base_model_name": config.get("base_model_name"),
    }


def portable_name(base_model: Any, near: Any) -> Any:
    """Return a run's name instead of its path if the name finds the same run, else the value as it is.

    The config keeps the result, and a name still works after the folder of runs has moved.
    """
    if not isinstance(base_model, str) or not isinstance(near, Path) or os.sep not in base_model:
        return base_model
    path = Path(base_model).expanduser()
    name = path.name
    if name in PRESETS or Path(name).exists() or not path.is_dir() or run_in(path) is None:
        return base_model
    found = run_called(name, near)
    return name if found is not None and found.path.samefile(path) else base_model
