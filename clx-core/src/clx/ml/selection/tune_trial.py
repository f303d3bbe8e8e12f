"""One trial: a training with some values, measured on eval data or on held-out folds."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError, TrainingError
from clx.ml.metrics import higher_is_better
from clx.ml.report.words import headline
from clx.ml.run_directory.staging import remove
from clx.ml.selection.tune_names import options_with
from clx.ml.selection.tune_study import Measured
from clx.ml.splits.fit_fold import Start, predict_after_training, trained
from clx.ml.task.author_code import author_code
from clx.ml.trainer.trainer import checked_metrics
from clx.ml.training.job import Call
from clx.problems import did_you_mean, names

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.evaluation.evaluate import Predicted
    from clx.ml.selection.tune_watch import Watch
    from clx.ml.splits.folds import Fold
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Bench:
    """What all trials share.

    Attributes:
        start: the task, the base model, the tokenizer, and the user's training arguments.
        options: the options of the run, with what the task inferred from the data.
        frames: the validated frames: ``train`` and, if there is eval data, ``eval``.
        folds: the folds to score if there is no eval data, else empty.
        folder: a folder for the checkpoints of a trial.
        objective: the metric that the user or the data asks for, None for the task's first one.
        greater: whether a higher value of that metric is better, None if it is not known.
    """

    start: Start
    options: Mapping[str, Any]
    frames: dict[str, pd.DataFrame]
    folds: Sequence[Fold]
    folder: Path
    objective: str | None = None
    greater: bool | None = None

    @property
    def share(self) -> float:
        """The rows of the published training, as a share of the rows that a trial trains on."""
        if not self.folds:
            return 1.0
        return len(self.frames["train"]) / sum(len(fold.train) for fold in self.folds)

    def reset(self) -> None:
        """Give the task the options of the run."""
        for name, value in copy.deepcopy(dict(self.options)).items():
            setattr(self.start.task, name, value)


def run_trial(bench: Bench, values: Mapping[str, Any], watch: Watch) -> tuple[Measured, str, bool]:
    """Train with some values.

    Args:
        bench: the settings that all trials share; the task's options are changed.
        values: the values of the parameters.
        watch: reports intermediate results, and knows the objective if it is known.

    Returns:
        The result, the objective, and whether a higher value of it is better.

    Raises:
        TrialStopped: the trial was pruned, or its time was up.
        ConfigError: the trial has no such metric, or values that do not fit the data.
        TrainingError: the training diverged, or its objective is not a finite number.
    """
    started = time.monotonic()
    task = bench.start.task
    bench.reset()
    for name, value in options_with(task, bench.options, values).items():
        setattr(task, name, value)
    bench = replace(bench, start=replace(bench.start, arguments=dict(task.training_args)))
    if bench.folds:
        metrics, kept = _on_folds(bench, watch), None
    else:
        metrics, kept = _on_eval_data(bench, watch)
    objective = watch.objective or _objective(bench, metrics)
    value = metrics[objective]
    if not math.isfinite(value):
        raise TrainingError(f"{objective} is {value}")
    seconds = time.monotonic() - started
    return Measured(dict(values), value, kept, seconds), objective, _greater(bench, objective)


def _on_eval_data(bench: Bench, watch: Watch) -> tuple[dict[str, float], str | float]:
    call = Call(True, None, [watch], resumable=False)
    with _work_folder(bench.folder) as folder:
        fitted, predicted = trained(bench.start, bench.frames, call, folder)
    assert predicted is not None
    return _metrics(bench.start.task, predicted), fitted.kept


def _on_folds(bench: Bench, watch: Watch) -> dict[str, float]:
    """Return the mean of each metric over the folds, weighted by rows."""
    frame, done, weights = bench.frames["train"], [], []
    for number, fold in enumerate(bench.folds, 1):
        with _work_folder(bench.folder) as folder:
            predicted = predict_after_training(bench.start, frame, fold, True, folder, [watch])
        done.append(_metrics(bench.start.task, predicted))
        weights.append(len(fold.held_out))
        keys = [key for key in done[0] if all(key in each for each in done)]
        means = {
            key: float(np.average([each[key] for each in done], weights=weights)) for key in keys
        }
        if watch.objective in means and number < len(bench.folds):
            watch.report(number, means[watch.objective])
    return means


def _metrics(task: Task, predicted: Predicted) -> dict[str, float]:
    with author_code(task, "compute_metrics"):
        metrics = checked_metrics(task)(predicted.prediction)
    return metrics if predicted.loss is None else {**metrics, "loss": float(predicted.loss)}


def _objective(bench: Bench, metrics: Mapping[str, float]) -> str:
    """Return the metric to optimize, after the first trial shows which metrics exist.

    Raises:
        ConfigError: there is no such metric.
    """
    wanted = bench.objective
    if wanted is None:
        # With label smoothing or label weights, the losses of two trials cannot be compared.
        others = [key for key in metrics if key != "loss" and higher_is_better(key) is not None]
        return next(iter(headline({key: metrics[key] for key in others}, ())), "loss")
    if wanted not in metrics:
        raise ConfigError(
            f"training_args: there is no metric {wanted!r} to tune by{did_you_mean(wanted, metrics)}; "
            f"the metrics of this run are {names(metrics)}"
        )
    return wanted


def _greater(bench: Bench, objective: str) -> bool:
    if bench.greater is not None and objective == bench.objective:
        return bench.greater
    return higher_is_better(objective) is not False and objective != "loss"


@contextlib.contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Provide an empty folder for one training, and remove it afterwards."""
    remove(folder)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)
