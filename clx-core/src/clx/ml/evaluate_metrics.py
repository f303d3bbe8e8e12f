"""The ``evaluate`` library: our metrics for who uses it, and its metrics for a run that names some.

``evaluate`` costs seconds to import and is imported inside the functions. Its own argument order is
by keyword: ``compute(predictions=, references=)``.
"""

from __future__ import annotations

import functools
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
    predictions: label ids; or, for single-label rows, the scores before the softmax, one list a
        row; or, for multi-label rows, sigmoid scores or 0 and 1, one list a row; or, for metrics
        of spans, B-, I- and O tags, one list a row.
    references: label ids; or, for multi-label rows, 0 and 1, one list a row; or such tags.
    thresholds: of multi-label scores, one number or one a label (0.5).
"""


@dataclass(frozen=True)
class ExtraMetric:
    """A metric that the user named: what to call it in messages, and what computes it."""

    name: str
    metric: Any


def as_evaluate_metric(name: str, **options: Any) -> Any:
    """Return one of our metrics as an ``evaluate.Metric``: offline, and for ``evaluate.combine``.

    Whether rows have one label or several is seen from ``references``; see :data:`USAGE`. Those of
    spans (:data:`OF_SPANS`) take tags, as ``seqeval`` on the Hub does, and need no package. What
    ``compute`` gives has ``name`` as its key.

    Args:
        name: one of :data:`OUR_METRICS`.
        options: to the constructor of ``evaluate.Metric``. Rows are kept in memory unless it says
            ``keep_in_memory=False``.

    Raises:
        ConfigError: we have no metric of that name.
        MissingDependencyError: ``evaluate`` is not installed.
    """
    return evaluate_metric_class(name)(**{"keep_in_memory": True, **options})


@functools.cache
def evaluate_metric_class(name: str) -> Any:
    """Return the subclass of ``evaluate.Metric`` that :func:`as_evaluate_metric` instantiates."""
    if name not in OUR_METRICS:
        raise ConfigError(
            f"there is no metric {cell(name)}{did_you_mean(name, OUR_METRICS)}; there are "
            f"{names(OUR_METRICS)}"
        )
    evaluate = _evaluate()
    from datasets import Features, Sequence, Value

    number, identifier = Value("float64"), Value("int64")
    several, flags, tags = Sequence(number), Sequence(identifier), Sequence(Value("string"))
    of_spans = name in OF_SPANS
    kinds = (
        [(tags, tags)]
        if of_spans
        else [(number, identifier), (several, identifier), (several, flags)]
    )
    source = "seqeval" if of_spans else "scikit-learn"

    class ClxMetric(evaluate.Metric):  # type: ignore[misc, name-defined]
        """One of the metrics of clx."""

        def _info(self) -> Any:
            return evaluate.MetricInfo(
                description=f"{name} as clx computes it: the definition is {source}'s.",
                citation="",
                inputs_description=USAGE,
                features=[
                    Features({"predictions": said, "references": given}) for said, given in kinds
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
    """Return one of our metrics of single- or multi-label rows; :data:`USAGE` has the arguments.

    Raises:
        ValueError: the metric is not one of such rows, or needs scores and was given label ids.
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
        kind, keys = "label ids (it may need scores, one list a row)", OF_IDS
    if name not in keys:
        raise ValueError(f"{name} cannot be computed of {kind}; what can is {names(keys)}")
    return values[name]


def _certain(truth: Any, predicted: Any) -> Any:
    """Return logits, shape (rows, num_labels), whose highest is at the predicted id."""
    import numpy as np

    ids = predicted.astype(np.int64)
    if (ids != predicted).any() or min(ids.min(), truth.min()) < 0:
        raise ValueError(
            f"predictions and references must be label ids from 0 on, but have {cell(predicted)}"
        )
    return np.eye(max(ids.max(), truth.max()) + 1)[ids]


def resolve_metrics(metrics: Sequence[str | Any]) -> list[ExtraMetric]:
    """Return what the metrics that a user named are.

    A str is the path of a local ``evaluate`` script or the name of a metric on the Hub, and
    **loading it runs its code**: take it from what the caller wrote, never from a run directory.
    Anything else has to have ``compute(predictions=, references=)``.

    Raises:
        ConfigError: one is neither, or is not there (or the Hub cannot be reached).
        PluginError: the script of one is broken.
        MissingDependencyError: a package that one needs is not installed.
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
        message = report("Not all metrics can be had:", [str(error) for error in problems])
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
        with _offline_as_the_hub_is(evaluate):
            return ExtraMetric(Path(name).stem if local else name, evaluate.load(name))
    except ImportError as error:
        raise MissingDependencyError(f"{name!r} needs a package: {_line(error)}") from error
    except (FileNotFoundError, ConnectionError) as error:
        ours = f", such as clx.ml.evaluate_metrics.as_evaluate_metric({name!r})"
        raise ConfigError(
            f"{name!r} is neither a local script nor a metric that can be had from the Hub now (no "
            "network, or no such name). Correct it, be online, pass the path of its script, or an "
            "object with compute(predictions=, references=)" + (ours if name in OUR_METRICS else "")
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
            f"The library evaluate cannot be imported ({_line(error)}): pip install evaluate"
        ) from error
    return evaluate


@contextmanager
def _offline_as_the_hub_is(evaluate: Any) -> Iterator[None]:
    """``evaluate`` has an offline switch of its own and does not look at ``HF_HUB_OFFLINE``."""
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
    """Return what the metrics give for these rows, as names and numbers.

    Nested dicts and lists are flattened: ``{"f1": [0.5, 1.0]}`` is ``f1_0`` and ``f1_1``. A name
    that is taken already is prefixed by the metric's, and numbered if that is taken too.

    Args:
        metrics: from :func:`resolve_metrics`.
        references: label ids, shape (rows,), or 0 and 1, shape (rows, num_labels), or tags by row.
        predictions: likewise.
        taken: names that others use.

    Raises:
        MissingDependencyError: a package that a metric needs is not installed.
        PluginError: a metric failed, or gave something other than numbers.
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
                "it with other arguments pass an object whose compute(predictions=, references=) "
                "does"
            ) from error
        for key, number in _numbers(extra.name, "", value):
            result[_free(key, extra.name, {*taken, *result})] = number
    return result


def _free(key: str, metric: str, taken: Collection[str]) -> str:
    if key not in taken:
        return key
    candidate, number = f"{metric}_{key}", 2
    while candidate in taken:
        candidate, number = f"{metric}_{key}_{number}", number + 1
    return candidate


def _numbers(metric: str, key: str, value: Any) -> Iterator[tuple[str, float]]:
    value = value.tolist() if hasattr(value, "tolist") else value
    inside: Any = None
    if isinstance(value, Mapping):
        inside = value.items()
    elif isinstance(value, list | tuple):
        inside = enumerate(value)
    if inside is not None:
        for name, part in inside:
            yield from _numbers(metric, f"{key}_{name}" if key else str(name), part)
    elif isinstance(value, int | float):
        yield key or metric, float(value)
    else:
        raise PluginError(
            f"the metric {metric!r} must give numbers, but {key or 'its result'} is {cell(value)}"
        )
