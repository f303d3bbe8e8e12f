"""Tasks that train a model and never predict with it, such as the pretraining of a base model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.errors import ConfigError

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def predicts(task: Task | type[Task]) -> bool:
    """Return whether a task, or its class, predicts: whether it has ``pipeline_args``."""
    return task.pipeline_args is not None


def require_prediction(task: Task) -> None:
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


def pipeline_task(task: Task) -> str | None:
    """Return the name of the pipeline of a task, None if the task does not predict."""
    arguments = task.pipeline_args
    return None if arguments is None else str(arguments["task"])
