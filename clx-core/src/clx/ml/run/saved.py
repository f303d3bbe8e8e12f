"""Make the run that a config describes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from clx.errors import ClxError, ConfigError, RunDirError
from clx.ml.plugins.registry import code_of
from clx.ml.run.base import Run
from clx.ml.run_directory.config import learned_of, options_of
from clx.ml.run_directory.finding import find_run, locate
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe
from clx.ml.task.checks import check_task
from clx.ml.task.constructing import name_arguments
from clx.ml.task.names import attribute_name
from clx.ml.task.options import accepted_options

R = TypeVar("R", bound=Run)


def open_saved(
    base: type,
    task_class: Any,
    directory: RunDir,
    device: str | None = None,
    trusted: bool = False,
) -> Any:
    """Open a saved run after the checks of its directory and its task.

    Args:
        base: ``TrainingRun``.
        task_class: the class of the config's task.
        directory: the saved run.
        device: the caller's device, None for the one in the config.
        trusted: whether the caller allows code from the directory.

    Raises:
        RunDirError: the directory is unsafe, or the task does not accept the config's values.
    """
    config = directory.read_config()
    refuse_unsafe(directory, trusted, config)
    check_task(task_class, base, f"The class {code_of(task_class)}")
    run = run_of_config(task_class, directory, config, device)
    run.trust_remote_code = trusted
    return run


def run_of_config(
    task_class: type[R], directory: RunDir, config: Mapping[str, Any], device: str | None
) -> R:
    """Make the run that a config describes. Entries that the installed task does not know are kept.

    Raises:
        RunDirError: the task does not accept the config's values.
    """
    options = options_of(config)
    # Only the caller can grant trust, never a directory.
    options.pop("trust_remote_code", None)
    accepted = accepted_options(task_class)
    attrs = {attribute_name(attr) for attr in task_class.add_config_attrs}
    try:
        known = {key: value for key, value in options.items() if key in accepted}
        run = unchecked(task_class, known, directory.path.name)
    except ClxError:
        raise
    except Exception as error:
        raise RunDirError(f"The config of {directory.path} cannot be used: {error}") from error
    for key in (attrs & set(options)) - accepted:
        setattr(run, key, options[key])
    extra = {key: value for key, value in options.items() if key not in accepted | attrs}
    run._open(directory, learned_of(config), extra, device)
    return run


def unchecked(task_class: type[R], options: Mapping[str, Any], run_name: str) -> R:
    """Make a run without the checks of the metaclass: its options were checked before."""
    positional, named = name_arguments(task_class, run_name)
    run: R = type.__call__(task_class, *positional, **named, **options)
    return run


def open_other(run: R, other: str | Path, device: str | None, purpose: str = "compared") -> R:
    """Open another saved run of the same task, named in a call of a run.

    Args:
        run: the run whose method was called.
        other: a path, or the name of a run beside this one or in the default folder.
        device: the device of the other run, None for the one in its config.
        purpose: what it is for, in a message.

    Raises:
        ConfigError: it is a run of another task.
        RunNotFoundError: there is no such run.
        RunDirError: the directory is unsafe or damaged.
    """
    directory = find_run(_beside(run, other) or locate(other))
    config = directory.read_config()
    if config["task"] not in (run.name, *run.aliases):
        raise ConfigError(
            f"Only runs of the same task can be {purpose}: {run.run_name!r} is a {run.name!r} run, and "
            f"{directory.path.name!r} is a {config['task']!r} run"
        )
    directory.check()
    # Trust was given to the code of the first run, not to that of the other.
    refuse_unsafe(directory, False, config)
    return run_of_config(type(run), directory, config, device)


def _beside(run: Run, other: str | Path) -> Path | None:
    """Return the directory of a run that is named and lies in the same folder, None for a path."""
    if os.sep in str(other) or other in ("", ".", ".."):
        return None
    path = run.run_dir.parent / other
    try:
        return path if path.is_dir() and not Path(other).exists() else None
    except (OSError, ValueError):
        return None


def opener_of(base: type, run: Any) -> partial[Any]:
    """Return the function that opens a directory as a run of the same task: see :func:`open_saved`."""
    return partial(open_saved, base, type(run), trusted=run.trust_remote_code)
