"""The hooks of clx: what a plugin may add to any task (pluggy).

A plugin is a module or object with functions marked ``@hookimpl`` and named as below. It is found
through the entry-point group ``clx.plugins``, or added by ``clx.ml.register_plugin``. A function
may leave out arguments that it does not need. ``docs/hooks.md`` has an example of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import pandas as pd
    from transformers import TrainerCallback

    from clx.ml.report import Section
    from clx.ml.results.outcome import EvaluationResult, TrainingResult
    from clx.ml.task.task import Task

hookspec = pluggy.HookspecMarker("clx")
hookimpl = pluggy.HookimplMarker("clx")


@hookspec(firstresult=True)
def clx_resolve_base_model(name: str) -> Path | None:
    """Return the local folder of the base model called ``name``, or None to leave it to others.

    Called before the local cache and the Hub are asked, never for a path that exists. The folder
    holds what ``from_pretrained`` reads. The first result that is not None is taken.
    """


@hookspec(firstresult=True)
def clx_open_data(source: str) -> pd.DataFrame | None:
    """Return the rows behind ``source`` as a frame, or None to leave it to others.

    ``source`` is what the caller gave to ``train`` or ``evaluate`` as a string or path: a file
    name, a folder, a glob, or anything else that a plugin understands, such as an address. The
    first result that is not None is taken; clx then validates the frame like any other.
    """


@hookspec
def clx_training_arguments(run: Task, rows: int, has_eval: bool) -> dict[str, Any] | None:
    """Return ``transformers.TrainingArguments`` for a training of ``rows`` rows.

    They take the place of clx's own defaults and give way to what the user set. Where several
    plugins name the same argument, the one that is called first wins. They are checked like a
    user's.
    """


@hookspec
def clx_before_training(
    run: Task, train_data: pd.DataFrame, eval_data: pd.DataFrame | None
) -> None:
    """Take note that ``train`` begins; raising a ``ClxError`` stops it.

    Called when the frames are validated, and before a model is loaded or anything is written. The
    frames are the user's own: a plugin does not change them.
    """


@hookspec
def clx_trainer_callbacks(run: Task, work_dir: Path) -> list[TrainerCallback | Any]:
    """Return callbacks for the Trainer of ``run``; those of all plugins are used together.

    ``work_dir`` is the folder of the training in progress: its ``logs/`` is kept with the run when
    the training succeeds.
    """
    return []


@hookspec
def clx_after_training(run: Task, result: TrainingResult) -> None:
    """Take note of a finished training; what is returned is not used.

    Called when the run directory is complete, and not for a training that failed. When the plugin
    raises, the run stays and ``train`` raises what it raised.
    """


@hookspec
def clx_after_evaluation(run: Task, evaluation: EvaluationResult) -> None:
    """Take note of an evaluation; what is returned is not used.

    Called at the end of ``evaluate``, and in ``train`` with the final evaluation on the eval data.
    """


@hookspec
def clx_after_prediction(run: Task, texts: Sequence[Any], predictions: Sequence[Any]) -> None:
    """Take note of a batch of predictions, as the caller gets them; what is returned is not used.

    ``texts`` and ``predictions`` are of one length, at most ``batch_size``, and in the order of the
    input. Called for all ways of predicting, before the last of the batch is handed out.
    """


@hookspec
def clx_report_sections(run: Task, evaluation: EvaluationResult | None) -> list[Section]:
    """Return sections for the report of ``run``; those of all plugins are shown, in order.

    A ``clx.ml.report.Section`` has a title, and a text or a frame. ``evaluation`` is the one that
    the report is about; None when the run was trained without eval data, and for ``run.report()``
    without data. A plugin that fails here is left out with a warning: a training is not lost for a
    section.
    """
    return []


@hookspec
def clx_commands() -> list[Callable[..., Any]]:
    """Return functions that become commands of ``clx``, each named as the function.

    A function's annotated parameters are its arguments and options, its docstring the help, as
    typer reads them. clx's own commands come first: a name of theirs is refused.
    """
    return []


DOING = {
    "clx_resolve_base_model": "looking for the base model",
    "clx_open_data": "opening the data",
    "clx_training_arguments": "choosing training arguments",
    "clx_before_training": "beginning a training",
    "clx_trainer_callbacks": "collecting the Trainer's callbacks",
    "clx_after_training": "finishing a training, whose run directory is complete",
    "clx_after_evaluation": "finishing an evaluation",
    "clx_after_prediction": "handing out predictions",
    "clx_report_sections": "writing a report",
    "clx_commands": "collecting commands",
}
"""What clx is doing when it calls a hook, for messages."""
