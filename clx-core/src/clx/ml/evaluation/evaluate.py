"""Evaluate a model on labeled data."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import EvalPrediction

from clx.errors import ConfigError, PluginError, RunDirError
from clx.ml.data.lengths import input_limit, warn_truncated
from clx.ml.data.row_targets import RowTargets, dataset_targets, row_targets
from clx.ml.data.splits import Split, tokenised_split, windows_of_split
from clx.ml.data.texts import with_texts
from clx.ml.evaluation.disk_rows import DiskRows, with_listed_texts
from clx.ml.evaluation.learned import learned_rows, warn_of_learned
from clx.ml.evaluation.row_targets import evaluate_with_targets, with_targets
from clx.ml.evaluation.static import predict_static
from clx.ml.machine.memory import memory_for_prediction
from clx.ml.results.outcome import EvaluationResult
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.argument_classes import own_arguments
from clx.ml.task.author_code import author_code
from clx.ml.task.evaluation_hooks import needs_predictions
from clx.ml.task.training_args import check_training_args
from clx.ml.trainer.equal_lengths import split_by_length
from clx.ml.trainer.trainer import (
    checked_metrics,
    forget_model,
    make_trainer,
    predict_dataset,
    preserve_forward,
)
from clx.problems import raise_problems
from clx_runtime.static_model import StaticModel

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.data.lazy_dataset import LazyDataset
    from clx.ml.task.task import Task

EVALUATION_ARGUMENTS: dict[str, Any] = {
    "report_to": "none",
    "remove_unused_columns": False,
    "dataloader_pin_memory": False,
    "per_device_eval_batch_size": 32,
}
KEPT_ARGUMENTS = ("per_device_eval_batch_size", "use_cpu")
"""``bf16_full_eval`` is left out: the Trainer would convert the model itself to half precision."""

WORKER_ARGUMENTS = (
    "dataloader_num_workers",
    "dataloader_multiprocessing_context",
    "dataloader_prefetch_factor",
)
"""Kept for rows on disk, which the workers tokenize."""


@dataclass(frozen=True)
class Predicted:
    """The predictions of a model for a tokenized dataset, in the order of its rows.

    Attributes:
        prediction: the predictions and label ids, as numpy arrays; None of both if nothing in the task
            reads them.
        loss: the mean loss, None without labels.
        truncated: the number of truncated texts.
        seconds: the duration of the prediction.
    """

    prediction: EvalPrediction
    loss: float | None
    truncated: int
    seconds: float


def predict_split(
    task: Task, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, split: Split
) -> Predicted:
    """Predict tokenized rows with the task's Trainer.

    Raises:
        RunDirError: the training arguments of a saved run are not valid for this transformers.
    """
    started = time.monotonic()
    kept = {*KEPT_ARGUMENTS, *(own_arguments(task) if task.training_args else ())}
    kept |= set() if split.on_disk is None else set(WORKER_ARGUMENTS)
    chosen = {key: value for key, value in task.training_args.items() if key in kept}
    # Opening a saved run does not check its arguments, which another transformers may have accepted.
    problems = check_training_args(chosen, task.device, task)[1]
    raise_problems(
        RunDirError, f"The config of the run {task.run_name!r} cannot be used:", problems
    )
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        arguments = {**EVALUATION_ARGUMENTS, **chosen}
        if not needs_predictions(task):
            arguments["prediction_loss_only"] = True
        trainer = make_trainer(task, tokenizer, model, arguments, Path(folder))
        batch = trainer.args.per_device_eval_batch_size
        remedy = "training_args={{'per_device_eval_batch_size': {}}}"
        try:
            with preserve_forward(model), memory_for_prediction(batch, remedy):
                split_by_length(trainer, tokenizer.padding_side)
                evaluate_with_targets(task, trainer, split.dataset)
                prediction, loss = predict_dataset(trainer, split.fed)
        finally:
            forget_model(trainer)
    if task.long_text == "window" and split.row_of is not None:
        # The Trainer's loss is the mean over windows, not over texts.
        loss = None
    prediction = pool_windows(task, split, prediction)
    return Predicted(prediction, loss, split.truncated, time.monotonic() - started)


def pool_windows(task: Task, split: Split, prediction: EvalPrediction) -> EvalPrediction:
    """Pool the predictions of windows into one per text, and add the targets of the texts.

    Raises:
        ConfigError: the model's output cannot be pooled, or predictions of windows are missing.
    """
    windows = windows_of_split(task, split)
    targets = dataset_targets(split.dataset)
    if windows is None or prediction.predictions is None:
        return with_targets(prediction, targets)
    logits, labels = prediction.predictions, prediction.label_ids
    if not (isinstance(logits, np.ndarray) and logits.ndim == 2 and isinstance(labels, np.ndarray)):
        raise ConfigError(
            f"long_text='window' cannot be used with the task {task.name!r}: it needs a model "
            f"whose only output is one row of logits per text, and a single label column"
        )
    if len(logits) != len(windows.row_of):
        raise ConfigError(
            f"long_text='window' cannot be used with the task {task.name!r}: its Trainer leaves rows "
            f"out of the evaluation, so windows of some texts are missing"
        )
    firsts = windows.firsts()
    pooled = EvalPrediction(predictions=windows.pooled(logits), label_ids=labels[firsts])
    return with_targets(pooled, targets.select(firsts))


def evaluate(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel | StaticModel,
    rows: pd.DataFrame | DiskRows,
    run_dir: Path,
) -> EvaluationResult:
    """Evaluate a trained run on validated rows; see ``TrainingRun.evaluate``."""
    directory = RunDir(run_dir)
    if isinstance(rows, DiskRows) and isinstance(model, StaticModel):
        rows = rows.whole(task)
    if not isinstance(rows, DiskRows):
        learned = learned_rows(task, directory, rows)
        warn_of_learned([learned], len(rows))
        predicted = predict_frame_rows(task, tokenizer, model, rows)
        result = evaluate_predictions(task, rows, predicted, run_dir)
        return replace(result, learned_rows=learned.count)
    split = rows.split(task, tokenizer, "evaluation")
    learned = learned_rows(task, directory, split.frame)
    warn_of_learned([learned], len(split.frame))
    what = "the evaluation data" if split.on_disk is None else "a sample of the evaluation data"
    warn_truncated(input_limit(task, tokenizer), split.truncated, len(split.frame), what)
    predicted = predict_split(task, tokenizer, model, split)
    result = evaluate_predictions(task, split.frame, predicted, run_dir, split.on_disk)
    # How many of many rows on disk were learned is unknown: the frame is a sample.
    return result if split.on_disk is not None else replace(result, learned_rows=learned.count)


def predict_frame_rows(
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel | StaticModel,
    frame: pd.DataFrame,
) -> Predicted:
    """Predict the rows of a validated frame with a trained run."""
    if isinstance(model, StaticModel):
        started = time.monotonic()
        return Predicted(*predict_static(task, tokenizer, model, frame), time.monotonic() - started)
    split = tokenised_split(task, tokenizer, "evaluation", frame)
    limit = input_limit(task, tokenizer)
    warn_truncated(limit, split.truncated, len(frame), "the evaluation data")
    return predict_split(task, tokenizer, model, split)


def evaluate_predictions(
    task: Task,
    frame: pd.DataFrame,
    predicted: Predicted,
    run_dir: Path,
    on_disk: LazyDataset | None = None,
) -> EvaluationResult:
    """Return the metrics, intervals, tables and rows that the task computes from predictions.

    Args:
        task: the task.
        frame: the rows.
        predicted: their predictions.
        run_dir: the run directory.
        on_disk: the rows that were predicted, if the frame is a sample of them.
    """
    prediction = predicted.prediction
    with author_code(task, "compute_metrics"):
        metrics = checked_metrics(task)(prediction)
    if predicted.loss is not None:
        metrics = {"loss": float(predicted.loss), **metrics}
    with author_code(task, "evaluation_intervals"):
        metrics |= task.evaluation_intervals(prediction)
    with author_code(task, "evaluation_tables"):
        tables = task.evaluation_tables(prediction)
    if not isinstance(tables, dict):
        raise PluginError(f"evaluation_tables() of {task.name!r} must return a dict of frames")
    with author_code(task, "evaluation_rows"):
        examples = task.evaluation_rows(prediction)
    if examples is not None and on_disk is not None:
        examples = with_listed_texts(examples, on_disk, task.text_columns)
    elif examples is not None:
        examples.index = frame.index
        examples = with_texts(examples, frame, task.text_columns)
    return EvaluationResult(
        metrics=metrics,
        tables=tables,
        examples=examples,
        rows=len(frame) if on_disk is None else len(on_disk.rows),
        truncated=predicted.truncated,
        seconds=predicted.seconds,
        about={
            "run": task.run_name,
            "Task": task.name,
            "Base model": task.base_model_name,
            "Run directory": str(run_dir),
            **_about_rows(task, row_targets(prediction)),
        },
    )


def _about_rows(task: Task, targets: RowTargets) -> dict[str, str]:
    """Return what readers of a report must know about weights and soft labels of the rows."""
    about = {} if targets.weights is None else {"Rows weighted by": str(task.weight_column)}
    if targets.probabilities is not None:
        about["Soft labels"] = "all metrics except soft_log_loss refer to the likeliest label"
    return about
