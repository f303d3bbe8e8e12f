"""The hooks of clx, through which a plugin adds to any task (pluggy).

A plugin is a module or object whose functions are marked ``@hookimpl`` and have the names below. clx
finds it through the entry-point group ``clx.plugins``, or ``clx.ml.register_plugin`` adds it. A
function may leave out arguments that it does not need. ``docs/reference/hooks.md`` has an example of
each hook.
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
    """Return the local folder of the base model ``name``, or None to leave it to other plugins.

    Called before clx looks in the local cache and on the Hub, and never for an existing path. The
    folder holds the files that ``from_pretrained`` reads. The first result that is not None wins.
    """


@hookspec(firstresult=True)
def clx_open_data(source: str, reading: Any) -> pd.DataFrame | Any | None:
    """Return the rows of ``source`` as a frame, or None to leave it to other plugins.

    ``source`` is the string or path that the caller passed to ``train`` or ``evaluate``: a file name,
    a folder, a glob, or anything else that a plugin understands, such as a URL. The first result
    that is not None wins, and clx validates it like any other frame. The result may also be a table
    of pyarrow or polars, a ``datasets.Dataset`` or a ``DatasetDict``. ``reading`` is a
    ``clx.ml.data.Reading`` with the caller's ``separator``, ``encoding`` and ``header``.
    """


@hookspec
def clx_training_arguments(run: Task, rows: int, has_eval: bool) -> dict[str, Any] | None:
    """Return arguments of ``transformers.TrainingArguments`` for a training of ``rows`` rows.

    They override the defaults of clx, and the user's arguments override them. If several plugins set
    the same argument, the plugin that is called first wins. clx checks them like the user's.
    """


@hookspec
def clx_before_training(
    run: Task, train_data: pd.DataFrame, eval_data: pd.DataFrame | None
) -> None:
    """Observe that ``train`` begins; raise a ``ClxError`` to stop it.

    Called after the frames are validated, and before a model is loaded or anything is written. The
    frames belong to the user: a plugin must not change them.
    """


@hookspec
def clx_trainer_callbacks(run: Task, work_dir: Path) -> list[TrainerCallback | Any]:
    """Return callbacks for the Trainer of ``run``; the callbacks of all plugins are used.

    ``work_dir`` is the folder of the training in progress. If the training succeeds, its ``logs/`` is
    kept in the run directory.
    """
    return []


@hookspec
def clx_after_training(run: Task, result: TrainingResult) -> None:
    """Observe a finished training; the return value is not used.

    Called when the run directory is complete, and not after a failed training. If the plugin raises,
    the run directory stays and ``train`` raises the exception.
    """


@hookspec
def clx_after_evaluation(run: Task, evaluation: EvaluationResult) -> None:
    """Observe an evaluation; the return value is not used.

    Called at the end of ``evaluate``, and by ``train`` with the final evaluation on the eval data.
    """


@hookspec
def clx_after_prediction(run: Task, texts: Sequence[Any], predictions: Sequence[Any]) -> None:
    """Observe a batch of predictions, as the caller receives them; the return value is not used.

    ``texts`` and ``predictions`` have the same length, at most ``batch_size``, and the order of the
    input. A row with two texts is a tuple. Called by every method that predicts, before the caller
    receives the batch.
    """


@hookspec
def clx_report_sections(run: Task, evaluation: EvaluationResult | None) -> list[Section]:
    """Return sections for the report of ``run``; the sections of all plugins are shown, in order.

    A ``clx.ml.report.Section`` has a title, and a text, a frame, or both. ``evaluation`` is the
    subject of the report. It is None if the run was trained without eval data, and for
    ``run.report()`` without data. A plugin that fails here is left out with a warning, because a
    training must not be lost for a section.
    """
    return []


@hookspec
def clx_commands() -> list[Callable[..., Any]]:
    """Return functions that become commands of ``clx``; a command has the name of its function.

    typer reads the annotated parameters as arguments and options, and the docstring as the help. The
    name of one of clx's own commands is refused.
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
"""What clx is doing when it calls each hook, for messages."""
