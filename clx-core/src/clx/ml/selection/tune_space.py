"""The space of a tuning: which values each parameter may have."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from clx.errors import ConfigError
from clx.ml.selection.tune_names import name_problem, options_with, plain_name
from clx.ml.task.options import option_problems, options_of_task
from clx.ml.task.training_args import check_training_args
from clx.problems import cell, raise_problems

if TYPE_CHECKING:
    from clx.ml.task.task import Task

REMEDY = (
    "A space is a dict of option or training argument → a list of values, (low, high), or "
    '(low, high, "log"); or a function of an Optuna trial that returns {name: value}.'
)


@dataclass(frozen=True)
class Choices:
    """Some values, of any type that JSON has."""

    values: tuple[Any, ...]

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the value that a trial gets."""
        labels = dict(zip(self.labels(), self.values, strict=True))
        return labels[trial.suggest_categorical(name, list(labels))]

    def labels(self) -> list[Any]:
        """Return what Optuna stores for each value: the value itself, or JSON of lists and dicts."""
        if all(value is None or isinstance(value, str | int | float) for value in self.values):
            return list(self.values)
        return [json.dumps(value, sort_keys=True) for value in self.values]

    def ends(self) -> tuple[Any, ...]:
        """Return the values to check."""
        return self.values

    def to_json(self) -> Any:
        """Return a value that is equal for equal spaces only."""
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``, whole ones if both are whole."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the value that a trial gets."""
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        suggest = trial.suggest_int if whole else trial.suggest_float
        return suggest(name, self.low, self.high, log=self.log)

    def ends(self) -> tuple[Any, ...]:
        """Return the values to check."""
        return self.low, self.high

    def to_json(self) -> Any:
        """Return a value that is equal for equal spaces only."""
        return {"low": self.low, "high": self.high, "log": self.log}


Function: TypeAlias = Callable[[Any], Mapping[str, Any] | None]
Space: TypeAlias = dict[str, Choices | Range] | Function


def checked_space(task: Task, given: Any) -> Space | None:
    """Return a user's space, None for the default one.

    Raises:
        ConfigError: the space has a wrong form, name, or value; all are listed.
    """
    if given is None or (callable(given) and not isinstance(given, Mapping)):
        return given
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(f"space must not be {cell(given)}. {REMEDY}")
    space: dict[str, Choices | Range] = {}
    problems = []
    for name, values in given.items():
        dimension, problem = _dimension(values)
        key = plain_name(name) if isinstance(name, str) else name
        problem = name_problem(task, key) or problem
        if problem is None and dimension is not None:
            wrong = _value_problems(task, [{key: value} for value in dimension.ends()])
            problem = next(iter(wrong), None)
            space[key] = dimension
        problems += [] if problem is None else [f"{name}: {problem}"]
    raise_problems(ConfigError, "The space to tune in cannot be used:", problems, REMEDY)
    return space


def _dimension(values: Any) -> tuple[Choices | Range | None, str | None]:
    """Return the values of one parameter, or what is wrong with them."""
    if isinstance(values, list):
        return (Choices(tuple(values)), None) if values else (None, "the list has no values")
    if not isinstance(values, tuple):
        return None, f"its values must be a list or a tuple, but are {cell(values)}"
    log = values[2:] == ("log",)
    numbers = values[:2] if log else values
    if len(numbers) != 2 or not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers
    ):
        return None, f"{cell(values)} is not a range of two numbers; write a list for single values"
    low, high = numbers
    if not low < high:
        return None, f"{low!r} is not below {high!r}"
    if log and low <= 0:
        return None, f"a logarithmic range must begin above 0, but begins at {low!r}"
    return Range(low, high, log), None


def _value_problems(task: Task, choices: Any) -> list[str]:
    """Return what is wrong with the options that each choice of values stands for."""
    before, problems = options_of_task(task), []
    for values in choices:
        try:
            for name, value in options_with(task, before, values).items():
                setattr(task, name, value)
            problems += check_training_args(task.training_args, task.device, task)[1]
            problems += option_problems(task)
        finally:
            for name, value in before.items():
                setattr(task, name, value)
    return problems


def suggested(task: Task, space: Space, trial: Any) -> dict[str, Any]:
    """Return the values of one trial, by parameter.

    Raises:
        ConfigError: the user's function returns something else, or a wrong name or value.
    """
    if isinstance(space, dict):
        return {name: each.suggest(trial, name) for name, each in space.items()}
    found = space(trial)
    found = dict(trial.params) if found is None else found
    if not isinstance(found, Mapping) or not found:
        raise ConfigError(f"The function space returned {cell(found)}. {REMEDY}")
    values = {plain_name(name) if isinstance(name, str) else name: v for name, v in found.items()}
    problems = [problem for name in values if (problem := name_problem(task, name))]
    problems = problems or _value_problems(task, [values])
    raise_problems(
        ConfigError, "The function space returned values that cannot be used:", problems, REMEDY
    )
    return values


def space_to_json(space: Space) -> Any:
    """Return a value that differs between different spaces, as far as functions can be compared."""
    if isinstance(space, dict):
        return {name: each.to_json() for name, each in space.items()}
    code = getattr(space, "__code__", None)
    name = (
        f"{getattr(space, '__module__', '')}:{getattr(space, '__qualname__', type(space).__name__)}"
    )
    if code is None:
        return {"function": name}
    constants = [each for each in code.co_consts if isinstance(each, str | int | float | None)]
    return {
        "function": name,
        "code": code.co_code.hex(),
        "constants": repr((constants, code.co_names)),
    }
