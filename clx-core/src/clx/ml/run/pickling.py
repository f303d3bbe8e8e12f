"""Copies of runs, pickled or not: a trained run travels as a reference to its directory.

A reference identifies the content of the directory, so a copy never predicts with another model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clx.errors import ClxError, ConfigError, RunDirError
from clx.ml.plugins.registry import code_of
from clx.ml.run.base import Run
from clx.ml.run.loaded import Loaded
from clx.ml.run.saved import run_of_config, unchecked
from clx.ml.run.state import State
from clx.ml.run_directory.config import options_of
from clx.ml.run_directory.finding import find_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.safety import refuse_unsafe
from clx.ml.task.json_values import tuples_as_lists
from clx.ml.task.options import accepted_options, option_names, options_of_task

_LOADED: dict[str, Loaded] = {}
"""The loaded parts of the run that was unpickled last: a pool unpickles its run once per chunk."""


@dataclass(frozen=True)
class Reference:
    """A trained run in another process.

    Attributes:
        path: the run directory.
        identity: the identity of its content.
        device: the run's device, None for the one in the config.
        trust_remote_code: whether the base model's code may run.
        changed: options whose values are not those of the config.
        metrics: the additional metrics as the caller gave them.
    """

    path: Path
    identity: str
    device: str | None = None
    trust_remote_code: bool = False
    changed: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """The options and the state from which an untrained run is made.

    Attributes:
        options: the values of its options.
        state: its state, without the loaded parts.
        tokenizer: the tokenizer of a training in progress, whose rows other processes tokenize. None
            if the copy loads its own.
    """

    options: Mapping[str, Any]
    state: State
    tokenizer: Any = None


def reduced(run: Run, share: bool = True) -> tuple[Callable[..., Run], tuple[Any, ...]]:
    """Return a function and arguments that make a copy of a run, as ``__reduce__`` does.

    Args:
        run: the run to copy.
        share: whether the copy may share a model with other copies in its process.

    Raises:
        ConfigError: the trained run of the same name has other options.
    """
    state, identity = run._clx_state, run._clx_loaded.identity
    if state.from_base or (identity is None and not run.is_trained):
        return made_again, (type(run), _recipe(run))
    if not state.adopted:
        run._adopt_saved()
    directory = RunDir(run.run_dir)
    reference = Reference(
        directory.path,
        identity or directory.identity(),
        None if state.stored_device else run.device,
        run.trust_remote_code,
        _changed(run, directory),
        state.metric_sources,
    )
    return reopened, (type(run), reference, share)


def _recipe(run: Run) -> Recipe:
    state = run._clx_state
    options = {**options_of_task(run), "trust_remote_code": run.trust_remote_code}
    kept = State(
        state.place,
        state.made_with,
        state.given,
        state.extra,
        metric_sources=state.metric_sources,
    )
    tokenizer = run._clx_loaded.tokenizer_in_use if state.from_base else None
    return Recipe({**options, "run_name": run.run_name}, kept, tokenizer)


def _changed(run: Run, directory: RunDir) -> dict[str, Any]:
    """Return the options that were changed after the run was opened or trained."""
    if not directory.is_complete():
        # Opening the copy will raise an error that says that the directory is gone.
        return {}
    stored = options_of(directory.read_config())
    return {
        name: value
        for name, value in options_of_task(run).items()
        if name != "device" and name in stored and tuples_as_lists(value) != stored[name]
    }


def reopened(task_class: type[Run], reference: Reference, share: bool) -> Run:
    """Open the run of a reference.

    Raises:
        RunNotFoundError: the directory is gone. It is a subclass of RunDirError.
        RunDirError: the directory now holds another run, or is damaged.
    """
    directory = find_run(reference.path)
    if directory.identity() != reference.identity:
        raise RunDirError(
            f"The run in {reference.path} is not the run that was pickled or copied: it was trained "
            f"again since. Open the new one with training_run(load=...)."
        )
    config = directory.read_config()
    directory.check()
    refuse_unsafe(directory, reference.trust_remote_code, config)
    run = run_of_config(task_class, directory, config, reference.device)
    run.trust_remote_code = reference.trust_remote_code
    for name, value in reference.changed.items():
        setattr(run, name, value)
    if reference.metrics:
        run._set_metrics(list(reference.metrics))
    if share:
        _share(run, reference)
    return run


def _share(run: Run, reference: Reference) -> None:
    """Share the loaded parts of the last copy of the same reference."""
    values = {**vars(reference), "path": str(reference.path), "metrics": None}
    key = f"{code_of(type(run))} {json.dumps(values, sort_keys=True, default=repr)}"
    last = _LOADED.get(key)
    if last is not None:
        run._clx_loaded.take_from(last)
    _LOADED.clear()
    _LOADED[key] = run._clx_loaded


def made_again(task_class: type[Run], recipe: Recipe) -> Run:
    """Make a run that is not trained from its options.

    Raises:
        ConfigError: the task's ``__init__`` cannot be called with them.
    """
    options = dict(recipe.options)
    accepted = accepted_options(task_class) - {"run_name"}
    known = {name: value for name, value in options.items() if name in accepted}
    try:
        run = unchecked(task_class, known, options["run_name"])
    except ClxError:
        raise
    except Exception as error:
        raise ConfigError(
            f"The run {options['run_name']!r} cannot be copied: {task_class.__qualname__}() does not "
            f"accept its options ({error}). Name all its arguments in add_config_attrs."
        ) from error
    for name in option_names(task_class):
        setattr(run, name, options[name])
    run.run_name, run.run_dir_parent = options["run_name"], recipe.state.place.parent
    run._clx_state = recipe.state
    if recipe.tokenizer is not None:
        run._clx_loaded.use_tokenizer(recipe.tokenizer)
    return run
