"""Making the run that a config describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from clx.errors import ClxError, RunDirError
from clx.ml.run.base import Run, learned_of
from clx.ml.run_directory.config import options_of
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.names import attribute_name
from clx.ml.task.options import accepted_options

R = TypeVar("R", bound=Run)


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
        run = unchecked(task_class, known)
    except ClxError:
        raise
    except Exception as error:
        raise RunDirError(f"The config of {directory.path} cannot be used: {error}") from error
    for key in (attrs & set(options)) - accepted:
        setattr(run, key, options[key])
    extra = {key: value for key, value in options.items() if key not in accepted | attrs}
    run._open(directory, learned_of(config), extra, device)
    return run


def unchecked(task_class: type[R], options: Mapping[str, Any]) -> R:
    """Make a run without the checks of the metaclass: its options were checked before."""
    run: R = type.__call__(task_class, **options)
    return run
