"""The calls of the hooks that take part in a run, and what clx does with their results.

Two hooks are called where they are needed, because the first result that is not None wins:
``clx_open_data`` in :mod:`clx.ml.data.frames` and ``clx_resolve_base_model`` in
:mod:`clx.ml.model.base_models`.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, PluginError
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.machine.distributed import is_main_process
from clx.ml.plugins.manager import Loaded, plugins
from clx.ml.task.trainer_parts import callback_problems
from clx.ml.task.training_args import check_training_args
from clx.problems import raise_problems
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.report import Section
    from clx.ml.results.outcome import EvaluationResult, TrainingResult
    from clx.ml.task.task import Task


DEFAULT_BATCH = 32
"""Number of predictions per call of ``clx_after_prediction`` if the caller sets no batch size."""


def proposed_arguments(
    run: Task, user_arguments: dict[str, Any], rows: int, has_eval: bool
) -> dict[str, Any]:
    """Return the training arguments that the plugins propose, overridden by the user's.

    Raises:
        PluginError: a plugin proposed an argument or value that transformers does not accept.
    """
    device = "cpu" if trains_on_cpu(run.device, user_arguments) else run.device
    arguments = dict(user_arguments)
    proposals = plugins().each(
        "clx_training_arguments", dict, run=run, rows=rows, has_eval=has_eval
    )
    for plugin, proposal in proposals:
        # What is already there wins: the user's arguments and those of the plugins called before.
        arguments = {**_checked_proposal(run, plugin, proposal, device), **arguments}
    return arguments


def _checked_proposal(
    run: Task, plugin: Loaded, proposal: dict[str, Any], device: Any
) -> dict[str, Any]:
    checked, problems = check_training_args(proposal, device, run)
    raise_problems(
        PluginError,
        f"The plugin {plugin.origin} returned training arguments that cannot be used:",
        problems,
        f"Upgrade or uninstall {plugin.distribution or 'it'}.",
    )
    return checked


def before_training(run: Task, train_data: pd.DataFrame, eval_data: pd.DataFrame | None) -> None:
    """Tell the plugins that a training begins; an exception of a plugin stops it."""
    plugins().call("clx_before_training", run=run, train_data=train_data, eval_data=eval_data)


def trainer_callbacks(run: Task, work_dir: Path) -> list[Any]:
    """Return the plugins' callbacks for the Trainer.

    Raises:
        PluginError: a plugin returned something other than callbacks.
    """
    found = []
    for plugin, callbacks in plugins().each(
        "clx_trainer_callbacks", list, run=run, work_dir=work_dir
    ):
        raise_problems(
            PluginError,
            f"The plugin {plugin.origin} returned callbacks that cannot be used:",
            callback_problems(callbacks),
            f"Upgrade or uninstall {plugin.distribution or 'it'}.",
        )
        found += callbacks
    return found


def after_training(run: Task, result: TrainingResult) -> None:
    """Tell the plugins that the run directory is complete, in the main process."""
    if is_main_process():
        plugins().call("clx_after_training", run=run, result=result)


def after_evaluation(run: Task, evaluation: EvaluationResult | None) -> None:
    """Tell the plugins about an evaluation, if there was one, in the main process."""
    if evaluation is not None and is_main_process():
        plugins().call("clx_after_evaluation", run=run, evaluation=evaluation)


def observed(
    run: Task,
    texts: Iterable[Any],
    batch_size: int | None,
    predict: Callable[[Iterable[Any]], Iterator[Any]],
) -> Iterator[Any]:
    """Return the predictions of ``texts`` and tell the plugins about each batch of them.

    Args:
        run: the run that predicts.
        texts: the texts, in any number.
        batch_size: the number of predictions per call of the hook, None for the default.
        predict: yields one prediction per text, in order; it may read ahead.
    """
    if not plugins().has("clx_after_prediction"):
        return predict(texts)
    return _observed(run, texts, batch_size or DEFAULT_BATCH, predict)


def _observed(
    run: Task,
    texts: Iterable[Any],
    batch_size: int,
    predict: Callable[[Iterable[Any]], Iterator[Any]],
) -> Iterator[Any]:
    # tee keeps the texts that predict has read and whose predictions are still to come.
    to_predict, to_report = itertools.tee(texts)
    predictions = predict(to_predict)
    while batch := list(itertools.islice(predictions, batch_size)):
        plugins().call(
            "clx_after_prediction",
            run=run,
            texts=list(itertools.islice(to_report, len(batch))),
            predictions=batch,
        )
        yield from batch


def report_sections(run: Task, evaluation: EvaluationResult | None) -> list[Section]:
    """Return the plugins' sections for a report.

    A plugin that fails is left out with a warning: the report is written at the end of a training,
    which must not be lost for a section.
    """
    from clx.ml.report import Section

    sections: list[Section] = []
    results = plugins().each(
        "clx_report_sections", list, _warn_left_out, run=run, evaluation=evaluation
    )
    for plugin, returned in results:
        wrong = [type(item).__name__ for item in returned if not isinstance(item, Section)]
        if wrong:
            _warn_left_out(
                PluginError(
                    f"The plugin {plugin.origin} must return clx.ml.report.Section objects from "
                    f"clx_report_sections, but returned {', '.join(wrong)}"
                )
            )
        else:
            sections += returned
    return sections


def _warn_left_out(error: PluginError) -> None:
    warnings.warn(f"The report lacks a section: {error}", ClxWarning, stacklevel=user_level())
