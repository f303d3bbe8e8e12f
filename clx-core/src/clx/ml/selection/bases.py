"""Base models compared on the same rows: frozen features, and a probe in cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import EvalPrediction

from clx.errors import BaseModelWarning, ClxError, ClxWarning, ConfigError, ModelError
from clx.ml.data.lengths import input_limit, warn_truncated
from clx.ml.data.splits import windows_of_split
from clx.ml.evaluation.row_targets import with_targets
from clx.ml.machine.progress import with_progress
from clx.ml.machine.tensor_cache import Entry, TensorCache, digest_of, folder_digest
from clx.ml.metrics import higher_is_better
from clx.ml.model.base_notes import base_notes
from clx.ml.model.head.pooling import checkpoint_pooling
from clx.ml.run_directory.config import raise_config_problems
from clx.ml.selection.candidates import Candidate, candidate, checked_names
from clx.ml.selection.features import CachedCollector, rows_digest
from clx.ml.selection.parameters import count_parameters
from clx.ml.selection.recommend import Measured, best_first, recommended
from clx.ml.splits.combine import joined
from clx.ml.splits.fit_fold import Start
from clx.ml.splits.folds import Fold, FoldRequest, check_request, make_folds
from clx.ml.splits.probes import Features, predict_with_probe, probe_features
from clx.ml.task.author_code import author_code
from clx.ml.task.training_args import check_training_args
from clx.ml.trainer.trainer import checked_metrics
from clx.ml.training.data import tokenized_splits, training_frame
from clx.ml.training.setting import is_imbalanced
from clx.problems import did_you_mean, names, report
from clx.settings import cache_dir
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task

SEED = 42
"""The seed of layers that a checkpoint lacks, such as a pooler."""

PREFERRED = ("accuracy", "f1_micro", "f1_macro", "f1", "r2", "mae", "rmse")
"""The metrics to compare by, the first that the task has; for imbalanced labels, the task's own."""

WithBase = Callable[[Candidate], AbstractContextManager[None]]
"""Gives the task a candidate as its base model until the block ends, and restores its options."""


@dataclass(frozen=True)
class BasesRequest:
    """The arguments of ``TrainingRun.compare_bases``, which describes them."""

    bases: Any
    folds: FoldRequest
    metric: str | None = None


@dataclass(frozen=True)
class _Rows:
    """What all candidates share.

    Attributes:
        frame: the validated rows.
        folds: the rows to fit and to score, without rows to choose by.
        arguments: the checked training arguments of the user.
        metric: the metric to compare by, None until a candidate shows which metrics there are.
        preferred: the metrics to choose from.
    """

    frame: pd.DataFrame
    folds: list[Fold]
    arguments: dict[str, Any]
    metric: str | None
    preferred: tuple[str, ...]


def compare_bases(task: Task, request: BasesRequest, with_base: WithBase) -> pd.DataFrame:
    """Compare base models; see ``TrainingRun.compare_bases``.

    Args:
        task: the task, whose options the data and the candidates change.
        request: the arguments of the call.
        with_base: see :data:`WithBase`.

    Raises:
        ConfigError: an argument is wrong, or the task has no linear layer to fit.
        ModelError: no candidate could be measured; the message has the reason of each.
    """
    check_request(request.folds)
    listed = checked_names(request.bases, task.base_model_name)
    frame = training_frame(task, request.folds.data, "data")
    arguments, problems = check_training_args(task.training_args, task.device, task)
    raise_config_problems(problems, f"The comparison of base models for {task.run_name!r}")
    if task.label_texts == "names":
        # Validating label names takes longer than everything else, and they favor no base.
        task.label_texts = None
    folds = [_without_choice(fold) for fold in make_folds(task, frame, request.folds)]
    first = (task.imbalanced_metric,) if is_imbalanced(task, frame) else ()
    preferred = tuple(name for name in first if name) + PREFERRED
    rows = _Rows(frame, folds, arguments, request.metric, preferred)
    measured: list[Measured] = []
    failures: dict[str, Exception] = {}
    notes: dict[str, list[str]] = {}
    for name in with_progress(listed, "compare bases", "base models", arguments):
        try:
            chosen = candidate(name, task.run_dir_parent)
            with with_base(chosen):
                rows, found, notes[name] = _measure(task, rows, chosen)
            measured.append(found)
        except _UnknownMetricError as error:
            raise ConfigError(str(error)) from None
        except Warning:
            # The caller turned warnings into errors.
            raise
        except Exception as error:
            failures[name] = error
    if not measured:
        _raise_all(task, failures)
    _warn(notes, failures)
    return _table(task, rows, measured, failures, notes)


class _UnknownMetricError(Exception):
    """The task has no such metric."""


def _without_choice(fold: Fold) -> Fold:
    """Return a fold that fits all its rows, because no epoch has to be chosen."""
    train = np.sort(np.concatenate([fold.train, fold.eval]))
    return replace(fold, train=train, eval=fold.eval[:0])


def _measure(task: Task, rows: _Rows, chosen: Candidate) -> tuple[_Rows, Measured, list[str]]:
    """Return the measurements of a candidate, and its drawbacks."""
    torch.manual_seed(SEED)
    start = Start(task, chosen.folder, task.tokenizer, rows.arguments)
    notes = base_notes(task, chosen.name, chosen.folder, start.tokenizer)
    (split,) = tokenized_splits(task, start.tokenizer, {"data": rows.frame})
    limit = input_limit(task, start.tokenizer)
    what = f"the data, for the base {chosen.name},"
    warn_truncated(limit, split.truncated, len(rows.frame), what)
    features, seconds = _features(start, split)
    scores = _scores(task, features, rows.folds)
    metric = _metric(rows, scores)
    found = Measured(
        chosen.name,
        scores[metric],
        scores.get(f"{metric}_low", float("nan")),
        scores.get(f"{metric}_high", float("nan")),
        1000 * seconds / len(rows.frame),
        count_parameters(chosen.folder),
    )
    return replace(rows, metric=metric), found, notes


def _features(start: Start, split: Split) -> tuple[Features, float]:
    """Return the features of the rows, and the seconds that the model took to read them.

    The pooling is remembered too: comparing poolings takes nearly as long as reading the rows.
    """
    task, cache = start.task, TensorCache(cache_dir() / "features")
    collector, key, pooling = CachedCollector(cache), "", None
    if task.pooling == "auto" and checkpoint_pooling(start.base) is None:
        windows = windows_of_split(task, split)
        options = [task.name, task.model_args, None if windows is None else windows.how]
        content = folder_digest(start.base), rows_digest(split.dataset, labels=True)
        key = digest_of("pooling", str(options), *content)
        known = cache.get(key)
        pooling = None if known is None else known.about["pooling"]
    features = probe_features(start, split, collector, pooling)
    if isinstance(features, str):
        raise ConfigError(
            f"compare_bases fits a linear layer to a base model's features, which is not possible "
            f"for the task {task.name!r}: {features}"
        )
    if key and pooling is None:
        cache.put(key, Entry(torch.empty(0), {"pooling": features.pooling}))
    return features, collector.seconds[0]


def _scores(task: Task, features: Features, folds: Sequence[Fold]) -> dict[str, float]:
    """Return metrics and intervals of the rows, each predicted by a probe that was not fitted to it.

    Decisions, such as thresholds, are fitted once to all predictions. That favors no candidate.
    """
    parts = [predict_with_probe(task, features, fold) for fold in folds]
    prediction = EvalPrediction(
        predictions=joined([part.prediction.predictions for part in parts]),
        label_ids=joined([part.prediction.label_ids for part in parts]),
    )
    held_out = torch.from_numpy(np.concatenate([fold.held_out for fold in folds]))
    rows = features.examples.select(held_out).row_targets
    prediction = with_targets(prediction, rows)
    with author_code(task, "fit_decisions"), warnings.catch_warnings():
        # Its warnings are about eval data, such as too few rows to choose a threshold.
        warnings.simplefilter("ignore", ClxWarning)
        task.fit_decisions(prediction)
    with author_code(task, "compute_metrics"):
        metrics = dict(checked_metrics(task)(prediction))
    with author_code(task, "evaluation_intervals"):
        metrics |= task.evaluation_intervals(prediction)
    losses = [part.loss for part in parts if part.loss is not None]
    if len(losses) == len(parts):
        weights = [len(fold.held_out) for fold in folds]
        metrics["loss"] = float(np.average(losses, weights=weights))
    return metrics


def _metric(rows: _Rows, scores: dict[str, float]) -> str:
    known = [key for key in scores if not key.endswith(("_low", "_high"))]
    if rows.metric is None:
        if not known:
            raise _UnknownMetricError(
                "The task has no metric to compare by: compute_metrics is empty"
            )
        return next((name for name in rows.preferred if name in known), known[0])
    if rows.metric not in known:
        raise _UnknownMetricError(
            f"There is no metric {rows.metric!r}{did_you_mean(rows.metric, known)}; the metrics of "
            f"this task are {names(known)}"
        )
    return rows.metric


def _raise_all(task: Task, failures: dict[str, Exception]) -> None:
    """Raise an error because all candidates failed; it has their errors' common type, if any."""
    errors = list(failures.values())
    if len(errors) == 1 and isinstance(errors[0], ClxError):
        raise errors[0]
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else ModelError
    kind = kind if issubclass(kind, ClxError) else ModelError
    reasons = [f"{name}: {_reason(error)}" for name, error in failures.items()]
    heading = f"No base model could be measured for the task {task.name!r}:"
    raise kind(report(heading, reasons)) from errors[0]


def _reason(error: Exception) -> str:
    """Return the first line of an error, which says what is wrong; remedies follow it."""
    text = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return text if isinstance(error, ClxError) else f"{type(error).__name__}: {text}"


def _warn(notes: dict[str, list[str]], failures: dict[str, Exception]) -> None:
    left_out = [f"{name}: {_reason(error)}" for name, error in failures.items()]
    if left_out:
        message = report("Base models that could not be measured are left out:", left_out)
        warnings.warn(message, BaseModelWarning, stacklevel=user_level())
    for name, reasons in notes.items():
        for reason in reasons:
            message = f"The base model {name}: {reason}."
            warnings.warn(message, BaseModelWarning, stacklevel=user_level())


def _table(
    task: Task,
    rows: _Rows,
    measured: list[Measured],
    failures: dict[str, Exception],
    notes: dict[str, list[str]],
) -> pd.DataFrame:
    import pandas as pd

    metric = str(rows.metric)
    higher = higher_is_better(metric) is not False
    ordered = best_first(measured, higher)
    frame = pd.DataFrame([asdict(each) for each in ordered])
    columns = {"score": metric, "low": f"{metric}_low", "high": f"{metric}_high"}
    frame = frame.rename(columns=columns)
    frame.attrs = {
        "recommended": recommended(ordered, higher),
        "task": task.name,
        "metric": metric,
        "rows": len(rows.frame),
        "folds": len(rows.folds),
        "notes": {name: reasons for name, reasons in notes.items() if reasons},
        "left_out": {name: _reason(error) for name, error in failures.items()},
    }
    return frame
