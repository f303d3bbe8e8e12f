"""Tasks that train a model and never predict with it, such as the pretraining of a base model."""

from __future__ import annotations

import inspect
from typing import Any

from clx.errors import ConfigError, PluginError
from clx.problems import cell


def predicts(task: Any) -> bool:
    """Return whether a task, or its class, predicts: whether it has ``pipeline_args``."""
    return task.pipeline_args is not None


def require_prediction(task: Any) -> None:
    """Raise if a task does not predict.

    Raises:
        ConfigError: it has no ``pipeline_args``.
    """
    if not predicts(task):
        raise ConfigError(
            f"The task {task.name!r} does not predict: its class has no pipeline_args. Use the "
            f"trained model as the base model of another run (base_model_name={task.run_name!r}), "
            f"or take it from run.model."
        )


def pipeline_task(task: Any) -> str | None:
    """Return the name of the pipeline of a task, None if the task does not predict.

    Raises:
        PluginError: ``pipeline_args`` is not valid.
    """
    arguments = task.pipeline_args
    problem = pipeline_args_problem(arguments)
    if problem is not None:
        raise PluginError(f"The task {task.name!r} cannot be used: {problem}")
    return None if arguments is None else str(arguments["task"])


def labels_tokens(task: Any) -> bool:
    """Return whether a task labels each token of a text, and not the text."""
    return pipeline_task(task) == "token-classification"


def pipeline_args_problem(value: Any) -> str | None:
    """Return what is wrong with the value of ``pipeline_args``, None if nothing is."""
    if value is None or (isinstance(value, dict) and isinstance(value.get("task"), str)):
        return None
    return (
        f'pipeline_args must be a dict with the pipeline\'s task, such as {{"task": '
        f'"text-classification"}}, or None for a task that does not predict, but is {cell(value)}'
    )


def method_as_property(task: Any) -> None:
    """Replace a method ``pipeline_args`` of a class by a property, so that core reads both alike."""
    given = vars(task).get("pipeline_args")
    if isinstance(given, classmethod | staticmethod):
        task.pipeline_args = property(lambda self: given.__get__(self, type(self))())
    elif inspect.isfunction(given):
        task.pipeline_args = property(given)
