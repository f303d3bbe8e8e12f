"""One evaluation from the predictions of all folds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import EvalPrediction

from clx.ml.data.row_targets import RowTargets, targets_of_frame
from clx.ml.data.texts import with_texts
from clx.ml.evaluation.evaluate import Predicted, evaluate_predictions
from clx.ml.evaluation.row_targets import with_targets
from clx.ml.results.outcome import EvaluationResult
from clx.ml.task.author_code import author_code
from clx.ml.task.options import options_of_task
from clx.ml.trainer.trainer import checked_metrics

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.splits.folds import Fold
    from clx.ml.task.task import Task

STD = "_std"
"""The suffix of a metric's name for its standard deviation over the folds."""

PADDING = -100
"""The value that pads rows of tokens to the same length, as in the Trainer."""


@dataclass(frozen=True)
class FoldResult:
    """The predictions of one fold, and their metrics under the fold's own decisions.

    Attributes:
        rows: the positions of the rows that were held out.
        predicted: their predictions.
        options: the task's options, with the decisions of the fold.
        metrics: the metrics of these rows.
        examples: the task's examples for these rows, None for a task without examples.
    """

    rows: np.ndarray[Any, Any]
    predicted: Predicted
    options: dict[str, Any]
    metrics: dict[str, float]
    examples: pd.DataFrame | None


def result_of_fold(task: Task, fold: Fold, predicted: Predicted) -> FoldResult:
    """Return a fold's metrics and rows; called while the task has the fold's decisions."""
    prediction = predicted.prediction
    with author_code(task, "compute_metrics"):
        metrics = checked_metrics(task)(prediction)
    if predicted.loss is not None:
        metrics = {"loss": float(predicted.loss), **metrics}
    with author_code(task, "evaluation_rows"):
        examples = task.evaluation_rows(prediction)
    options = copy.deepcopy(options_of_task(task))
    return FoldResult(fold.held_out, predicted, options, metrics, examples)


def combined(
    task: Task, frame: pd.DataFrame, results: Sequence[FoldResult], about: dict[str, str]
) -> EvaluationResult:
    """Return the evaluation of all rows that were held out.

    Metrics and tables are computed from all predictions at once. If the folds learned different
    decisions, such as thresholds, the metrics are the folds' own, averaged by rows, and the tables
    show all rows under the mean decisions.

    Args:
        task: the task; its options are changed.
        frame: all rows.
        results: one for each fold.
        about: the subject of the evaluation.
    """
    positions = np.concatenate([each.rows for each in results])
    held_out = frame.iloc[positions]
    same = all(each.options == results[0].options for each in results)
    if _use_mean_options(task, results):
        predicted = _joined_predictions(results, targets_of_frame(task, held_out))
        evaluation = evaluate_predictions(task, held_out, predicted, Path())
    else:
        # For example, only some folds have a min_score.
        evaluation = EvaluationResult({}, rows=len(held_out))
    if not same:
        examples = _joined_examples(task, held_out, results)
        evaluation = replace(evaluation, metrics=_mean_metrics(results), examples=examples)
    examples = evaluation.examples
    if examples is not None:
        examples = examples.iloc[np.argsort(positions, kind="stable")]
    metrics = _with_spread(evaluation.metrics, [each.metrics for each in results])
    truncated = sum(each.predicted.truncated for each in results)
    return replace(evaluation, metrics=metrics, examples=examples, truncated=truncated, about=about)


def _with_spread(metrics: dict[str, float], folds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return metrics, each followed by its sample standard deviation over the folds."""
    result = {}
    for key, value in metrics.items():
        result[key] = value
        values = [fold[key] for fold in folds if key in fold]
        if values:
            enough = len(values) > 1
            result[f"{key}{STD}"] = float(np.std(values, ddof=1)) if enough else float("nan")
    return result


def _mean_metrics(results: Sequence[FoldResult]) -> dict[str, float]:
    """Return the mean of each metric over the folds that have it, weighted by rows."""
    means = {}
    for key in dict.fromkeys(key for each in results for key in each.metrics):
        having = [each for each in results if key in each.metrics]
        weights = [len(each.rows) for each in having]
        means[key] = float(np.average([each.metrics[key] for each in having], weights=weights))
    return means


def _use_mean_options(task: Task, results: Sequence[FoldResult]) -> bool:
    """Give the task the mean of the folds' options; return False if an option has no mean."""
    means = {}
    for name in results[0].options:
        try:
            means[name] = mean_value([each.options[name] for each in results])
        except ValueError:
            return False
    for name, value in means.items():
        setattr(task, name, value)
    return True


def mean_value(values: Sequence[Any]) -> Any:
    """Return the common value, or the mean of numbers and of numbers in dicts or lists.

    Raises:
        ValueError: the values differ in more than numbers.
    """
    first = values[0]
    if all(type(value) is type(first) and value == first for value in values):
        return first
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return float(np.mean(values))
    if all(isinstance(value, dict) and value.keys() == first.keys() for value in values):
        return {key: mean_value([value[key] for value in values]) for key in first}
    if all(isinstance(value, list) and len(value) == len(first) for value in values):
        return [mean_value(column) for column in zip(*values, strict=True)]
    raise ValueError("the values have no mean")


def _joined_predictions(results: Sequence[FoldResult], targets: RowTargets) -> Predicted:
    parts = [each.predicted for each in results]
    prediction = EvalPrediction(
        predictions=joined([part.prediction.predictions for part in parts]),
        label_ids=joined([part.prediction.label_ids for part in parts]),
    )
    losses = [part.loss for part in parts if part.loss is not None]
    weights: list[Any] = [len(each.rows) for each in results]
    if targets.weights is not None:
        weights = [each.sum() for each in np.split(targets.weights, np.cumsum(weights)[:-1])]
    loss = float(np.average(losses, weights=weights)) if len(losses) == len(parts) else None
    return Predicted(with_targets(prediction, targets), loss, 0, 0.0)


def joined(arrays: Sequence[Any]) -> Any:
    """Return arrays, or tuples or dicts of them, one after another; shorter rows are padded."""
    first = arrays[0]
    if isinstance(first, tuple | list):
        return type(first)(joined(column) for column in zip(*arrays, strict=True))
    if isinstance(first, dict):
        return type(first)({key: joined([each[key] for each in arrays]) for key in first})
    if first is None:
        return None
    longest = np.max([each.shape[1:] for each in arrays], axis=0) if first.ndim > 1 else ()
    padded = [
        np.pad(
            each,
            [
                (0, 0),
                *((0, most - size) for most, size in zip(longest, each.shape[1:], strict=True)),
            ],
            constant_values=PADDING,
        )
        for each in arrays
    ]
    return np.concatenate(padded)


def _joined_examples(
    task: Task, held_out: pd.DataFrame, results: Sequence[FoldResult]
) -> pd.DataFrame | None:
    import pandas as pd

    tables = [each.examples for each in results if each.examples is not None]
    if len(tables) < len(results):
        return None
    examples = pd.concat(tables)
    examples.index = held_out.index
    return with_texts(examples, held_out, task.text_columns)
