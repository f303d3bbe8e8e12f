"""Where clx calls the hooks of plugins that take part in a run, and what it does with the results.

The two hooks whose first result counts are called where they are needed: ``clx_open_data`` in
:mod:`clx.ml.data.frames`, ``clx_resolve_base_model`` in :mod:`clx.ml.model.base_models`.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, PluginError
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.plugins.manager import plugins
from clx.ml.task.training_args import check_training_args
from clx.problems import raise_problems

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.report import Section
    from clx.ml.results.outcome import EvaluationResult, TrainingResult
    from clx.ml.task.task import Task


TOLD_AT_ONCE = 32
"""Predictions that plugins are told of together, where the caller names no batch size."""


def proposed_arguments(
    run: Task, given: dict[str, Any], rows: int, has_eval: bool
) -> dict[str, Any]:
    """Return the user's training arguments, completed by what plugins propose.

    Raises:
        PluginError: a plugin proposed an argument or value that transformers does not know.
    """
    arguments = dict(given)
    results = plugins().each("clx_training_arguments", dict, run=run, rows=rows, has_eval=has_eval)
    device = "cpu" if trains_on_cpu(run.device, arguments) else run.device
    for plugin, proposed in results:
        checked, problems = check_training_args(proposed, device)
        raise_problems(
            PluginError,
            f"The plugin {plugin.origin} returned training arguments that cannot be used:",
            problems,
            f"Upgrade or uninstall {plugin.distribution or 'it'}.",
        )
        arguments = {**checked, **arguments}
    return arguments


def before_training(run: Task, train_data: pd.DataFrame, eval_data: pd.DataFrame | None) -> None:
    """Tell the plugins that a training begins; what they raise stops it."""
    plugins().call("clx_before_training", run=run, train_data=train_data, eval_data=eval_data)


def trainer_callbacks(run: Task, work_dir: Path) -> list[Any]:
    """Return the plugins' callbacks for the Trainer."""
    results = plugins().each("clx_trainer_callbacks", list, run=run, work_dir=work_dir)
    return [callback for _, some in results for callback in some]


def after_training(run: Task, result: TrainingResult) -> None:
    """Tell the plugins that a run is complete."""
    plugins().call("clx_after_training", run=run, result=result)


def after_evaluation(run: Task, evaluation: EvaluationResult | None) -> None:
    """Tell the plugins of an evaluation, if there was one."""
    if evaluation is not None:
        plugins().call("clx_after_evaluation", run=run, evaluation=evaluation)


def observed(
    run: Task,
    texts: Iterable[Any],
    batch_size: int | None,
    predict: Callable[[Iterable[Any]], Iterator[Any]],
) -> Iterator[Any]:
    """Return the predictions of ``texts``, telling the plugins of each batch of them.

    ``predict`` yields one prediction a text, in order; it may read ahead.
    """
    if not plugins().has("clx_after_prediction"):
        return predict(texts)
    return _observed(run, texts, batch_size or TOLD_AT_ONCE, predict)


def _observed(
    run: Task,
    texts: Iterable[Any],
    batch_size: int,
    predict: Callable[[Iterable[Any]], Iterator[Any]],
) -> Iterator[Any]:
    waiting: deque[Any] = deque()

    def remembered() -> Iterator[Any]:
        for text in texts:
            waiting.append(text)
            yield text

    batch: list[Any] = []
    for prediction in predict(remembered()):
        batch.append(prediction)
        if len(batch) == batch_size:
            yield from _told(run, waiting, batch)
            batch = []
    if batch:
        yield from _told(run, waiting, batch)


def _told(run: Task, waiting: deque[Any], batch: list[Any]) -> list[Any]:
    texts = [waiting.popleft() for _ in batch]
    plugins().call("clx_after_prediction", run=run, texts=texts, predictions=batch)
    return batch


def report_sections(run: Task, evaluation: EvaluationResult | None) -> list[Section]:
    """Return the plugins' sections for a report; a plugin that fails is left out with a warning.

    A report is written at the end of a training, which a section is not worth.
    """
    from clx.ml.report import Section

    sections: list[Section] = []
    results = plugins().each("clx_report_sections", list, _left_out, run=run, evaluation=evaluation)
    for plugin, some in results:
        wrong = [type(each).__name__ for each in some if not isinstance(each, Section)]
        if wrong:
            _left_out(
                PluginError(
                    f"The plugin {plugin.origin} must return clx.ml.report.Section objects from "
                    f"clx_report_sections, but returned {', '.join(wrong)}"
                )
            )
        else:
            sections += some
    return sections


def _left_out(error: PluginError) -> None:
    warnings.warn(f"A section is not in the report: {error}", ClxWarning, stacklevel=4)
