"""Making a run: the class is checked before its ``__init__``, the options after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clx.errors import ConfigError, PluginError
from clx.ml.model.base_runs import portable_name
from clx.ml.run_directory.safe_model import model_args_problems
from clx.ml.task.checks import check_task, private_names
from clx.ml.task.constructing import missing_options, name_arguments, own_values
from clx.ml.task.guesses import option_hint
from clx.ml.task.lora_options import require_peft
from clx.ml.task.options import accepted_options
from clx.ml.task.reporting import name_problems, require_packages, settled, shape_problems
from clx.problems import names


def named_run(task: Any, run_name: Any, options: dict[str, Any]) -> Any:
    """Return a run of a class, which gets its name as its ``__init__`` takes it."""
    positional, named = name_arguments(task, run_name)
    return task(*positional, **named, **options)


def make_run(
    base: type,
    task: Any,
    construct: Callable[..., Any],
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> Any:
    """Return a run after checking it.

    Args:
        base: ``TrainingRun``.
        task: the class to make a run of.
        construct: makes the run without any check.
        args: the caller's positional arguments.
        options: the caller's keyword arguments.

    Raises:
        ConfigError: options have wrong names or values; all are listed before anything is loaded.
        PluginError: the class is not a valid task.
        MissingDependencyError: an option needs a package that is not installed.
    """
    if task is base:
        raise ConfigError(f"{task.__name__} is the base class of tasks: make a run of a task")
    check_task(task, base, f"The class {task.__module__}:{task.__qualname__}")
    accepted = accepted_options(task)
    unknown = [
        f"there is no option {name!r}{option_hint(name, options, accepted)}"
        for name in options
        if name not in accepted
    ]
    _refuse_incomplete(task, args, options)
    known = {name: own_values(value) for name, value in options.items() if name in accepted}
    run = construct(*map(own_values, args), **known)
    shadowed = sorted(set(vars(run)) & set(private_names(base)))
    if shadowed:
        raise PluginError(
            f"The __init__ of {task.__qualname__} sets {names(shadowed)}, which is private to clx: give "
            f"the attribute another name"
        )
    # An ``__init__`` that forgets ``super()`` is reported below.
    made = hasattr(run, "run_dir_parent")
    if made:
        run.base_model_name = portable_name(run.base_model_name, run.run_dir_parent)
    given = {name for name, value in options.items() if value is not None}
    is_named = made and not shape_problems(run.report_to)
    reporters = settled(run.report_to, None) if is_named else ()
    unsafe = _unsafe_arguments(run) if made else []
    run._finish([*unknown, *name_problems(reporters), *unsafe], given)
    require_peft(run)
    require_packages(settled(run.report_to, run.training_args.get("report_to")))
    return run


def _refuse_incomplete(task: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Raise if the author's ``__init__`` needs options that the caller left out.

    Raises:
        ConfigError: the message names them.
    """
    missing = [] if args else missing_options(task, options)
    if missing:
        raise ConfigError(
            f"The task {task.name!r} needs {names(missing)}: write "
            f"training_run({task.name!r}, name, {', '.join(f'{name}=...' for name in missing)})"
        )


def _unsafe_arguments(run: Any) -> list[str]:
    """Return the ``model_args`` with which a saved run would not be opened, as sentences."""
    if run.trust_remote_code or not isinstance(run.model_args, dict):
        return []
    return [
        f"{problem}: a saved run would open with it only if trust_remote_code=True is passed, both "
        f"now and when it is opened"
        for problem in model_args_problems(run.model_args)
    ]
