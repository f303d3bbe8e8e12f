"""The engine of a trained run for the server, and what clients are told about its labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clx.ml.prediction.backends import TORCH
from clx.ml.prediction.exported import exported_folder
from clx.ml.prediction.served_task import ServedTask
from clx.ml.run_directory.safety import refuse_unsafe
from clx_runtime.label_set import LabelSet
from clx_runtime.scores import score_function
from clx_runtime.server.runtime_model import limits_of
from clx_runtime.server.served import Facts
from clx_runtime.static_files import STATIC

if TYPE_CHECKING:
    from transformers import Pipeline, PreTrainedTokenizerBase

    from clx.ml.run_directory.layout import RunDir
    from clx.ml.task.task import Task
    from clx_runtime.exported_model import ExportedModel
    from clx_runtime.read import LoadedModel

    PipeOver = Callable[[ExportedModel], tuple[Pipeline, PreTrainedTokenizerBase]]


def served_with_torch(
    task: Task,
    directory: RunDir,
    pipe: Pipeline,
    tokenizer: PreTrainedTokenizerBase,
    backend: str = TORCH,
) -> ServedTask:
    """Return a run that predicts with its pipeline.

    Args:
        task: the run.
        directory: its directory.
        pipe: its pipeline.
        tokenizer: its tokenizer.
        backend: what computes in the pipeline.
    """
    from transformers import TextClassificationPipeline

    from clx.ml.prediction.pipe_engine import torch_engine

    config: Any = pipe.model.config
    labels: tuple[str, ...] = ()
    if isinstance(pipe, TextClassificationPipeline):
        labels = tuple(config.id2label[n] for n in range(config.num_labels))
    function = score_function(
        task.predict_args.get("function_to_apply"),
        config.problem_type,
        config.num_labels,
        getattr(config, "function_to_apply", None),
    )
    facts = _facts(task, directory, backend, pipe.device.type, labels, function)
    return ServedTask(task, torch_engine(task, pipe, tokenizer, None), facts)


def served_loaded(
    task: Task,
    directory: RunDir,
    backend: str,
    device: str | None,
    threads: int | None,
    pipe_over: PipeOver,
) -> ServedTask:
    """Return a run that predicts with its exported model, or that is a static student.

    Args:
        task: the run.
        directory: its directory.
        backend: the backend of the export, or ``static``.
        device: the device; None chooses it.
        threads: the number of threads for one batch; None leaves it to the backend.
        pipe_over: makes the task's own pipeline over an exported model, and returns its tokenizer too.

    Raises:
        NotTrainedError: the run was not exported for this backend.
    """
    from clx_runtime.exported_model import ExportedModel
    from clx_runtime.exports import export_in
    from clx_runtime.static_model import StaticModel

    model: LoadedModel
    if backend == STATIC:
        directory.check()
        refuse_unsafe(directory, task.trust_remote_code)
        model = StaticModel(directory.model, device)
    else:
        export = export_in(exported_folder(directory, backend))
        model = ExportedModel(export, backend, device, threads)
        if export.settings.outputs:
            pipe, tokenizer = pipe_over(model)
            return served_with_torch(task, directory, pipe, tokenizer, backend)
    return served_model(task, directory, backend, model)


def served_model(task: Task, directory: RunDir, backend: str, model: LoadedModel) -> ServedTask:
    """Return a run that predicts with a loaded model.

    Args:
        task: the run.
        directory: its directory.
        backend: the backend of the model.
        model: the model.
    """
    from clx_runtime.engine import Engine, own_function

    settings = model.settings
    function = task.predict_args.get("function_to_apply") or own_function(settings)
    facts = _facts(task, directory, backend, model.device, tuple(settings.labels), function)
    return ServedTask(task, Engine(model, None), facts)


def _facts(
    task: Task,
    directory: RunDir,
    backend: str,
    device: str,
    labels: tuple[str, ...],
    function: str,
) -> Facts:
    rule = task.decision_rule()
    return Facts(
        name=task.run_name,
        task=task.name,
        identity=directory.identity(),
        backend=backend,
        device=device,
        labels=labels,
        multi_label=isinstance(rule, LabelSet) or (function == "sigmoid" and len(labels) > 1),
        function=function,
        limits=limits_of(rule),
        limit=None,
        text_columns=tuple(task.text_columns),
    )
