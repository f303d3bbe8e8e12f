"""``training_run``: make a run by task and name, or open a saved one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clx.errors import (
    ConfigError,
    PluginError,
    TaskNotFoundError,
)
from clx.ml.plugins.registry import TaskRegistry
from clx.ml.run.making import named_run
from clx.ml.run.run import TrainingRun
from clx.ml.run.saved import open_saved
from clx.ml.run_directory.config import contradictions, options_of
from clx.ml.run_directory.finding import find_run, locate
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.load_guesses import load_hint
from clx.ml.task.options import accepted_options
from clx.problems import cell, raise_problems

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]*")

task_registry: TaskRegistry[TrainingRun] = TaskRegistry(base=lambda: TrainingRun)
"""The tasks of this process: see :class:`clx.ml.plugins.registry.TaskRegistry`."""


def training_run(
    task: str | None = None,
    run_name: str | None = None,
    *,
    load: str | Path | None = None,
    **options: Any,
) -> TrainingRun:
    """Make a run of a task, or open a saved one.

    Args:
        task: an installed task's name or alias; see ``clx tasks``.
        run_name: one path component; None makes a name from the task and the time.
        load: the path of a saved run, or the name of one in the default folder. Besides it,
            only ``device``, ``trust_remote_code``, ``verify`` (compare each SHA-256 with the
            manifest), and a task or options equal to those in the config may be given.
        **options: the task's options; see its class.

    Returns:
        The run. Nothing is written before ``train``, and no model is loaded before it is needed.

    Raises:
        ConfigError: options are wrong or contradict the config; all are listed.
        TaskNotFoundError: there is no such task.
        PluginError: the task's plugin is broken.
        RunNotFoundError: there is no run to load.
        RunDirError: the run directory is damaged.
    """
    if load is not None:
        return open_run(load, task, run_name, **options)
    if task is None:
        known = ", ".join(task_registry) or "none is installed"
        raise ConfigError(
            f"training_run needs a task ({known}), or load= with the path or name of a saved run"
        )
    if not isinstance(task, str):
        raise ConfigError(f"task must be a task's name, but is {cell(task)}")
    if "verify" in options:
        raise ConfigError("verify can only be used with load=")
    run: TrainingRun = named_run(task_registry[task], run_name, options)
    return run


def open_run(
    load: str | Path,
    task: str | None = None,
    run_name: str | None = None,
    device: Any = None,
    verify: Any = False,
    trust_remote_code: Any = False,
    **options: Any,
) -> TrainingRun:
    """Open a saved run; see :func:`training_run`."""
    directory = find_run(locate(load))
    config = directory.read_config()
    task_class = _task_of(config, directory)
    wrong = [
        f"{name} must be true or false, but is {cell(value)}"
        for name, value in (("verify", verify), ("trust_remote_code", trust_remote_code))
        if not isinstance(value, bool)
    ]
    if device is not None and not isinstance(device, str):
        wrong.append(f"device must be a str such as 'cpu', but is {cell(device)}")
    _refuse_contradictions(task_class, config, directory, task, run_name, options, wrong)
    directory.check(hashes=verify)
    trusted = trust_remote_code is True
    run: TrainingRun = open_saved(TrainingRun, task_class, directory, device, trusted)
    return run


def _task_of(config: dict[str, Any], directory: RunDir) -> type[TrainingRun]:
    try:
        return task_registry[config["task"]]
    except (TaskNotFoundError, PluginError) as error:
        distribution, version = config.get("task_distribution"), config.get("task_version")
        # Users paste this line into a shell, and the config may come from a stranger.
        if not isinstance(distribution, str) or not _DISTRIBUTION.fullmatch(distribution):
            raise
        version = version if isinstance(version, str) and _VERSION.fullmatch(version) else ""
        line = f"pip install {distribution}" + (f"=={version}" if version else "")
        message = (
            f"The run in {directory.path} is of the task {config['task']!r} of {distribution} "
            f"{version}, which cannot be used here. To get it, if you trust its authors: {line}\n"
            f"{error}"
        )
        raise type(error)(message) from error


def _refuse_contradictions(
    task_class: type[TrainingRun],
    config: dict[str, Any],
    directory: RunDir,
    task: str | None,
    run_name: str | None,
    options: dict[str, Any],
    wrong: list[str],
) -> None:
    stored, accepted = options_of(config), accepted_options(task_class)
    problems = [*wrong, *contradictions(options, stored, options)]
    problems += [
        f"there is no option {name!r} in the saved run{load_hint(name, options, stored, accepted)}"
        for name in options
        if name not in stored
    ]
    if task is not None and task not in (config["task"], task_class.name, *task_class.aliases):
        problems.append(f"it is a run of the task {config['task']!r}, not {task!r}")
    if run_name is not None and run_name != directory.path.name:
        problems.append(f"it is called {directory.path.name!r}, not {run_name!r}")
    raise_problems(
        ConfigError,
        f"The run in {directory.path} cannot be opened like this:",
        problems,
        "A saved run has its options in its config: besides load=, only device, verify and "
        "trust_remote_code may be given. run.continue_training(data, training_args=...) trains it "
        "further, and run.set_decisions(...) changes its thresholds.",
    )
