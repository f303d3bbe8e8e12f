"""The metric that chooses the best model: its direction, and whether the task has it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, ConfigError
from clx.ml.metrics import higher_is_better
from clx.ml.task.trainer_parts import plain
from clx.ml.trainer.trainer import predict_before_training, sample_of
from clx.problems import did_you_mean, names
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from transformers import Trainer

BY_EVALUATION = ("reduce_lr_on_plateau", "greedy")
"""Schedules that lower the rate when the metric does not improve."""

SPEED = ("runtime", "_per_second", "preparation_time")


def with_direction(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return complete training arguments with the direction of their metric.

    transformers assumes that higher is better unless a metric's name ends in ``loss``, and its
    schedules always assume that lower is better. A :class:`ClxWarning` states the assumption about
    a metric of unknown direction, or says that the user's direction is wrong.
    """
    chosen = dict(arguments)
    metric, given = chosen.get("metric_for_best_model"), chosen.get("greater_is_better")
    higher = _direction(metric or "loss", given)
    if metric is not None:
        chosen["greater_is_better"] = higher
    options = chosen.get("lr_scheduler_kwargs") or {}
    if plain(chosen.get("lr_scheduler_type")) in BY_EVALUATION and isinstance(options, Mapping):
        chosen["lr_scheduler_kwargs"] = {"mode": "max" if higher else "min", **options}
    return chosen


def _direction(metric: str, given: bool | None) -> bool:
    known = higher_is_better(metric)
    if given is None:
        if known is None:
            warnings.warn(
                f"metric_for_best_model={metric!r}: clx does not know this metric and assumes that "
                f"higher is better; set greater_is_better in training_args to say so, or otherwise",
                ClxWarning,
                stacklevel=user_level(),
            )
        return known is not False
    if known is not None and known != given:
        warnings.warn(
            f"greater_is_better={given} keeps the worst model by {metric!r}, for which "
            f"{'higher' if known else 'lower'} is better; leave it out of training_args",
            ClxWarning,
            stacklevel=user_level(),
        )
    return given


def refuse_unknown_metric(trainer: Trainer, dataset: Any) -> None:
    """Raise if an evaluation does not return ``metric_for_best_model``.

    Evaluates a sample of the rows, then all of them if the sample lacks the metric.

    Args:
        trainer: the Trainer, before its training.
        dataset: the eval rows, None without eval data.

    Raises:
        ConfigError: there is no such metric; the message lists the metrics.
    """
    metric = trainer.args.metric_for_best_model
    if dataset is None or plain(trainer.args.eval_strategy) == "no" or metric is None:
        return
    wanted = metric.removeprefix("eval_")
    if wanted == "loss" or wanted in _metrics_of_sample(trainer, dataset):
        return
    known = _metrics(trainer, dataset)
    if wanted not in known:
        raise ConfigError(
            f"training_args: there is no metric {metric!r} to choose the best model by"
            f"{did_you_mean(wanted, known)}; the metrics of this run are {names(known)}"
        )


def _metrics_of_sample(trainer: Trainer, dataset: Any) -> list[str]:
    try:
        return _metrics(trainer, sample_of(dataset))
    except Exception:
        # A metric may need all rows, for example rows of every label.
        return []


def _metrics(trainer: Trainer, dataset: Any) -> list[str]:
    keys = (key.removeprefix("eval_") for key in predict_before_training(trainer, dataset))
    return [key for key in keys if not key.endswith(SPEED)]
