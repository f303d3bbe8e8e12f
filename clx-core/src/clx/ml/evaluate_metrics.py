"""Our metrics as ``evaluate`` metrics, and the ``evaluate`` metrics that a run names.

``evaluate`` takes seconds to import, so it is imported inside the functions. Its metrics take keyword
arguments: ``compute(predictions=, references=)``.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ClxError, ConfigError, MissingDependencyError, PluginError
from clx.ml.metrics import classification_metrics
from clx.ml.multilabel_metrics import multilabel_metrics
from clx.ml.spans import tag_metrics
from clx.problems import cell, did_you_mean, names, report

OF_IDS = ("accuracy", "f1_macro", "f1_micro", "f1_weighted")
SINGLE_LABEL = (*OF_IDS, "log_loss", "ece")
MULTI_LABEL = (
    "f1_micro",
    "f1_macro",
    "f1_samples",
    "subset_accuracy",
    "average_precision",
    "precision_micro",
    "recall_micro",
    "log_loss",
    "ece",
)
OF_SPANS = ("span_precision", "span_recall", "span_f1", "span_f1_macro", "token_accuracy")
OUR_METRICS = tuple(dict.fromkeys((*SINGLE_LABEL, *MULTI_LABEL, *OF_SPANS)))

USAGE = """
Args:
    predictions: label ids or, as one list per row, the scores before the softmax (single-label),
        sigmoid scores or 0 and 1 (multi-label), or B-, I- and O tags (span metrics).
    references: label ids or, as one list per row, 0 and 1 (multi-label) or tags (span metrics).
    thresholds: for multi-label scores, one number or one per label; 0.5 by default.
"""


@dataclass(frozen=True)
class ExtraMetric:
    """A metric that the user named: its name in messages and the object that computes it."""

    name: str
    metric: Any


def as_evaluate_metric(name: str, **options: Any) -> Any:
    """Return one of our metrics as an ``evaluate.Metric`` that works offline and in ``combine``.

    The shape of ``references`` tells whether rows have one label or several; see :data:`USAGE`. Span
    metrics (:data:`OF_SPANS`) take tags, as ``seqeval`` on the Hub does, but need no extra package.
    ``compute`` returns a dict with the key ``name``.

    Args:
        name: one of :data:`OUR_METRICS`.
        options: arguments of the ``evaluate.Metric`` constructor. Rows are kept in memory unless
            ``keep_in_memory=False`` is given.

    Raises:
        ConfigError: there is no metric of that name.
        MissingDependencyError: ``evaluate`` is not installed.
    """
    return evaluate_metric_class(name)(**{"keep_in_memory": True, **options})


@functools.cache
def evaluate_metric_class(name: str) -> Any:
    """Return the subclass of ``evaluate.Metric`` that :func:`as_evaluate_metric` instantiates."""
    if name not in OUR_METRICS:
        raise ConfigError(
            f"there is no metric {cell(name)}{did_you_mean(name, OUR_METRICS)}; the metrics are "
            f"{names(OUR_METRICS)}"
        )
    evaluate = _evaluate()
    from datasets import Features, Sequence, Value

    number, identifier = Value("float64"), Value("int64")
    several, flags, tags = Sequence(number), Sequence(identifier), Sequence(Value("string"))
    of_spans = name in OF_SPANS
    of_rows = [(number, identifier), (several, identifier), (several, flags)]
    formats = [(tags, tags)] if of_spans else of_rows
    source = "seqeval" if of_spans else "scikit-learn"

    class ClxMetric(evaluate.Metric):  # type: ignore[misc, name-defined]
        """A metric of clx."""

        def _info(self) -> Any:
            return evaluate.MetricInfo(
                description=f"{name} as clx computes it, by {source}'s definition.",
                citation="",
                inputs_description=USAGE,
                features=[
                    Features({"predictions": predicted, "references": expected})
                    for predicted, expected in formats
                ],
            )

        def _compute(
            self, *, predictions: Any, references: Any, thresholds: Any = 0.5
        ) -> dict[str, float]:
            if of_spans:
                return {name: tag_metrics(references, predictions)[name.removeprefix("span_")]}
            return {name: our_metric(name, references, predictions, thresholds)}

    ClxMetric.__name__ = "Clx" + name.title().replace("_", "")
    return ClxMetric


def our_metric(name: str, references: Any, predictions: Any, thresholds: Any = 0.5) -> float:
    """Return one of our metrics of single- or multi-label rows; see :data:`USAGE` for the arguments.

    Raises:
        ValueError: the metric is not defined for these rows, or needs scores and got label ids.
    """
    import numpy as np

    truth, predicted = np.asarray(references), np.asarray(predictions)
    keys: tuple[str, ...]
    if truth.ndim == 2:
        values = multilabel_metrics(truth, predicted, thresholds)
        kind, keys = "rows of several labels", MULTI_LABEL
    elif predicted.ndim == 2:
        values = classification_metrics(truth, predicted)
        kind, keys = "rows of one label", SINGLE_LABEL
    else:
        values = classification_metrics(truth, _certain(truth, predicted))
        kind, keys = "label ids (it may need scores, one list per row)", OF_IDS
    if name not in keys:
        raise ValueError(f"{name} cannot be computed from {kind}, only {names(keys)}")
    return values[name]


def _certain(truth: Any, predicted: Any) -> Any:
    """Return one-hot logits of the predicted ids, shape (rows, num_labels)."""
    import numpy as np

    ids = predicted.astype(np.int64)
    if (ids != predicted).any() or min(ids.min(), truth.min()) < 0:
        raise ValueError(
            f"predictions and references must be label ids from 0 on, but include {cell(predicted)}"
        )
    return np.eye(max(ids.max(), truth.max()) + 1)[ids]


def resolve_metrics(metrics: Sequence[str | Any]) -> list[ExtraMetric]:
    """Load the metrics that a user named.

    A str is the path of a local ``evaluate`` script or the name of a metric on the Hub. **Loading it
    runs its code**: take it from the caller, never from a run directory. Any other object must have
    ``compute(predictions=, references=)``.

    Raises:
        ConfigError: a metric is neither, does not exist, or the Hub cannot be reached.
        PluginError: the script of a metric is broken.
        MissingDependencyError: a package that a metric needs is not installed.
    """
    if isinstance(metrics, str | bytes | Mapping) or not isinstance(metrics, Collection):
        raise ConfigError(
            "metrics must be a list of names, paths or objects, such as metrics=['f1'], but is "
            f"{cell(metrics)}"
        )
    found, problems = [], []
    for metric in metrics:
        try:
            found.append(_loaded(metric) if isinstance(metric, str) else _object(metric))
        except ClxError as error:
            problems.append(error)
    if problems:
        message = report("Some metrics cannot be loaded:", [str(error) for error in problems])
        raise type(problems[0])(message) from problems[0].__cause__
    return found


def _object(metric: Any) -> ExtraMetric:
    if isinstance(metric, type):
        raise ConfigError(f"{cell(metric)} is a class: pass an instance, {metric.__name__}()")
    if not callable(getattr(metric, "compute", None)):
        raise ConfigError(
            f"{cell(metric)} has no compute(predictions=, references=) and is not the name of a "
            "metric"
        )
    name = getattr(metric, "name", None)
    return ExtraMetric(name if isinstance(name, str) else type(metric).__name__, metric)


def _loaded(name: str) -> ExtraMetric:
    local = name.endswith(".py") or Path(name).exists()
    if name.endswith(".py") and not Path(name).is_file():
        raise ConfigError(f"{name!r}: there is no such file")
    evaluate = _evaluate()
    try:
        with _offline_like_the_hub(evaluate):
            return ExtraMetric(Path(name).stem if local else name, evaluate.load(name))
    except ImportError as error:
        raise MissingDependencyError(f"{name!r} needs a package: {_line(error)}") from error
    except (FileNotFoundError, ConnectionError) as error:
        ours = f", such as clx.ml.evaluate_metrics.as_evaluate_metric({name!r})"
        raise ConfigError(
            f"{name!r} is neither a local script nor a metric available from the Hub (no network, or "
            "no such name). Correct the name, go online, or pass the path of a script or an object "
            "with compute(predictions=, references=)" + (ours if name in OUR_METRICS else "")
        ) from error
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {_line(error)}"
        raise PluginError(f"{name!r} cannot be loaded: {what}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _evaluate() -> Any:
    try:
        import evaluate
    except ImportError as error:
        raise MissingDependencyError(
            f"The package evaluate cannot be imported ({_line(error)}): pip install evaluate"
        ) from error
    return evaluate


@contextmanager
def _offline_like_the_hub(evaluate: Any) -> Iterator[None]:
    """Apply ``HF_HUB_OFFLINE`` to ``evaluate``, which reads only its own offline switch."""
    before = evaluate.config.HF_EVALUATE_OFFLINE
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    evaluate.config.HF_EVALUATE_OFFLINE = before or offline
    try:
        yield
    finally:
        evaluate.config.HF_EVALUATE_OFFLINE = before


def compute_extra(
    metrics: Sequence[ExtraMetric], references: Any, predictions: Any, taken: Collection[str] = ()
) -> dict[str, float]:
    """Return the values of the metrics for these rows, by name.

    Nested dicts and lists are flattened: ``{"f1": [0.5, 1.0]}`` becomes ``f1_0`` and ``f1_1``. A key
    that is already taken gets the metric's name as a prefix, then a number if that is taken too.

    Args:
        metrics: from :func:`resolve_metrics`.
        references: label ids of shape (rows,), 0 and 1 of shape (rows, num_labels), or lists of tags.
        predictions: in the same form.
        taken: keys that are already in use.

    Raises:
        MissingDependencyError: a package that a metric needs is not installed.
        PluginError: a metric failed, or returned something other than numbers.
    """
    result: dict[str, float] = {}
    for extra in metrics:
        try:
            value = extra.metric.compute(predictions=predictions, references=references)
        except ImportError as error:
            message = f"the metric {extra.name!r} needs a package: {_line(error)}"
            raise MissingDependencyError(message) from error
        except Exception as error:
            raise PluginError(
                f"the metric {extra.name!r} failed: {type(error).__name__}: {_line(error)}. To call "
                "it with other arguments, pass an object whose compute(predictions=, references=) "
                "does so"
            ) from error
        for key, number in _flattened(extra.name, "", value):
            result[_free_key(key, extra.name, {*taken, *result})] = number
    return result


def _free_key(key: str, metric: str, taken: Collection[str]) -> str:
    numbered = (f"{metric}_{key}_{number}" for number in itertools.count(2))
    candidates = itertools.chain([key, f"{metric}_{key}"], numbered)
    return next(candidate for candidate in candidates if candidate not in taken)


def _flattened(metric: str, key: str, value: Any) -> Iterator[tuple[str, float]]:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flattened(metric, f"{key}_{name}" if key else str(name), part)
    elif isinstance(value, int | float):
        yield key or metric, float(value)
    else:
        raise PluginError(
            f"the metric {metric!r} must return numbers, but {key or 'its result'} is {cell(value)}"
        )
