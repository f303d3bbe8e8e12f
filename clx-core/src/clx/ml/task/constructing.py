"""The call of an author's ``__init__``: arguments by keyword, and values that are the run's own."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

from clx.ml.task.names import attribute_name
from clx.ml.task.options import OPTIONS, option_names

RUN_NAME = "run_name"
OWN_WORDS = ("name", "run", "experiment", "experiment_name")
"""What an author may call the name of the run, if it is the first parameter."""


def name_arguments(task_class: Any, run_name: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments with which a class gets the name of a run.

    It gets the name by keyword: the first parameter of its ``__init__`` may be an option, such as
    ``label_names``. An ``__init__`` that calls the name something else gets it by position.
    """
    parameters = _parameters(task_class)
    takes_keyword = any(p.kind == p.VAR_KEYWORD or p.name == RUN_NAME for p in parameters)
    if takes_keyword and not (parameters and parameters[0].name in OWN_WORDS):
        return (), {RUN_NAME: run_name}
    return (run_name,), {}


def missing_options(task_class: Any, given: Collection[str]) -> list[str]:
    """Return the names of the options that an ``__init__`` needs and that are not given."""
    return [name for name in _required(task_class) if name not in given]


def constructor_problems(task_class: Any) -> list[str]:
    """Return the arguments without which a saved run could not be made again, as sentences."""
    kept = {option.name for option in OPTIONS} | set(
        map(attribute_name, task_class.add_config_attrs)
    )
    return [
        f"its __init__ needs {name!r}, which the config would not keep, so that no saved run could "
        f"be opened: name it in add_config_attrs, or give it a default"
        for name in _required(task_class)
        if name not in kept
    ]


def own_values(value: Any) -> Any:
    """Return a copy of lists and dicts, however nested; everything else is returned unchanged."""
    if type(value) is dict:
        return {key: own_values(item) for key, item in value.items()}
    return [own_values(item) for item in value] if type(value) is list else value


def take_own_values(task: Any) -> None:
    """Replace the lists and dicts among the options of a task, which other code may hold too."""
    for name in option_names(task):
        if name in vars(task):
            setattr(task, name, own_values(vars(task)[name]))


def _required(task_class: Any) -> list[str]:
    """Return the parameters of ``__init__`` that have no default, without the name of the run."""
    parameters = _parameters(task_class)
    own_name = parameters[0].name if parameters and parameters[0].name in OWN_WORDS else RUN_NAME
    return [
        p.name
        for p in parameters
        if p.default is p.empty
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and p.name not in (RUN_NAME, own_name)
    ]


def _parameters(task_class: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(task_class.__init__).parameters.values())[1:]
