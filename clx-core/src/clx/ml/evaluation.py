"""Evaluating a model on labelled data."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import PluginError
from clx.ml.author_code import author_code
from clx.ml.results import EvaluationResult
from clx.ml.trainer import checked_metrics, make_trainer, predict_dataset

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from clx.ml.run import TrainingRun

EVALUATION_ARGUMENTS: dict[str, Any] = {
    "report_to": "none",
    "remove_unused_columns": False,
    "dataloader_pin_memory": False,
    "per_device_eval_batch_size": 32,
}
KEPT_ARGUMENTS = ("per_device_eval_batch_size", "bf16_full_eval", "fp16_full_eval", "use_cpu")


def evaluate_model(
    run: TrainingRun, model: PreTrainedModel, dataset: Dataset, truncated: int
) -> EvaluationResult:
    """Return metrics and tables of a model on a tokenised dataset; nothing is written.

    The predictions are made by the task's Trainer; ``loss`` is its mean loss.
    """
    started = time.monotonic()
    chosen = {key: run.training_args[key] for key in KEPT_ARGUMENTS if key in run.training_args}
    model.eval()
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(run, model, {**EVALUATION_ARGUMENTS, **chosen}, Path(folder))
        prediction, loss = predict_dataset(trainer, dataset)
    with author_code(run, "compute_metrics"):
        metrics = checked_metrics(run)(prediction)
    if loss is not None:
        metrics = {"loss": float(loss), **metrics}
    with author_code(run, "evaluation_tables"):
        tables = run.evaluation_tables(prediction)
    if not isinstance(tables, dict):
        raise PluginError(f"evaluation_tables() of {run.name!r} must return a dict of frames")
    return EvaluationResult(metrics, tables, len(dataset), truncated, time.monotonic() - started)
