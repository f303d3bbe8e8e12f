"""Which methods of a task read the predictions of an evaluation, and whether a task has any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml.task.author_code import author_code
from clx.ml.task.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

READERS = (
    "compute_metrics",
    "evaluation_tables",
    "evaluation_intervals",
    "evaluation_rows",
    "metric_differences",
    "fit_decisions",
)
"""The methods that get an ``EvalPrediction``."""

PREPROCESS = "preprocess_logits_for_metrics"


def needs_predictions(task: Task) -> bool:
    """Return whether anything reads the predictions of an evaluation, or the loss is enough.

    The predictions of a language model have a number for each token of the vocabulary, for each
    token of the data: they need many times the memory of anything else.
    """
    return bool(task.calibrate) or any(_is_overridden(task, name) for name in READERS)


def preprocessing(task: Task) -> Callable[[Any, Any], Any] | None:
    """Return the task's ``preprocess_logits_for_metrics``, None if it has none of its own."""
    if not _is_overridden(task, PREPROCESS):
        return None

    def preprocess(logits: Any, labels: Any) -> Any:
        with author_code(task, PREPROCESS):
            return task.preprocess_logits_for_metrics(logits, labels)

    return preprocess


def _is_overridden(task: Task, name: str) -> bool:
    return name in vars(task) or getattr(type(task), name) is not getattr(Task, name)
