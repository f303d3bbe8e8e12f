"""Defaults for training arguments, chosen by the size of the data and of the model.

The numbers come from measurements on several data sets (``docs/background/defaults.md``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clx.errors import ConfigError
from clx.ml.machine.distributed import process_count
from clx.ml.metrics import higher_is_better
from clx.ml.task.trainer_parts import plain
from clx.ml.task.training_args import divides, with_matching_strategies
from clx.ml.training.best_metric import BY_EVALUATION, with_direction
from clx.problems import cell, raise_problems

BATCH = 16
"""The number of rows in a step, unless there are more than two processes."""

MAX_EPOCHS = 15
MAX_EPOCHS_RANDOM = 50
"""The limit for a randomly initialized head, which has more to learn."""

EVALUATIONS = 8
PATIENCE = 3
"""The number of evaluations without an improvement after which a training stops."""

MANY_STEPS = 2000
"""The number of steps beyond which an epoch has more than one evaluation."""

LORA_FACTOR = 10
"""How many times the learning rate of all weights an adapter takes.

Source: Schulman et al. (2025), "LoRA Without Regret": ten times, whatever the model and the data.
"""

RATES = ((512, 2e-4), (768, 5e-5), (math.inf, 2e-5))
"""Pairs of a hidden size and the learning rate of models up to that size."""


@dataclass(frozen=True)
class Setting:
    """The facts that the defaults depend on.

    Attributes:
        rows: the number of training rows.
        has_eval: whether there is eval data.
        hidden_size: the width of the model, None if it is unknown.
        cuda: whether the training runs on a GPU.
        probe: whether the head starts from a probe.
        several: whether a row may have several labels.
        metric: the metric that chooses the best model; None for the loss.
        lora: whether an adapter is trained instead of all weights.
        min_steps: small data gets as many epochs as this number of steps takes, up to a limit.
    """

    rows: int
    has_eval: bool
    hidden_size: int | None = None
    cuda: bool = False
    probe: bool = False
    several: bool = False
    metric: str | None = None
    lora: bool = False
    min_steps: int = 200


def choose_arguments(user: Mapping[str, Any], setting: Setting) -> dict[str, Any]:
    """Return the complete training arguments: clx's defaults, then what the user set.

    The number of epochs gives small data enough steps; the learning rate falls with the width of
    the model.

    Raises:
        ConfigError: the user asks for evaluation without eval data, or no batch is complete and
            incomplete batches are dropped.
    """
    _refuse_evaluation_without_data(user, setting.has_eval)
    batch = int(user.get("per_device_train_batch_size", _batch_per_process()))
    accumulated = int(user.get("gradient_accumulation_steps", 1))
    updates = max(1, math.ceil(_batches(user, setting.rows, batch) / accumulated))
    most = MAX_EPOCHS if setting.probe else MAX_EPOCHS_RANDOM
    epochs = user.get("num_train_epochs", min(most, max(3, math.ceil(setting.min_steps / updates))))
    steps = user.get("max_steps", -1)
    total = steps if steps and steps > 0 else math.ceil(updates * epochs)
    defaults: dict[str, Any] = {
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": 32,
        "num_train_epochs": epochs,
        "learning_rate": _learning_rate(setting),
        # The first step of a warm-up has a rate of 0, so a single step must have none.
        "warmup_steps": min(math.ceil(0.1 * total), total - 1),
        "weight_decay": 0.01,
        "logging_steps": max(1, total // 50),
        "save_total_limit": 1,
        "remove_unused_columns": False,
        "dataloader_pin_memory": setting.cuda,
        "report_to": "none",
    }
    every = max(1, math.ceil(total / EVALUATIONS))
    uneven = epochs > EVALUATIONS or updates > MANY_STEPS
    if setting.has_eval and uneven and _may_evaluate_by_steps(user, every):
        # One evaluation covers several short epochs, and a long epoch has several evaluations.
        defaults |= {"eval_strategy": "steps", "save_strategy": "steps"}
    if setting.metric is not None and setting.has_eval and "metric_for_best_model" not in user:
        higher = higher_is_better(setting.metric) is not False
        if user.get("greater_is_better") in (None, higher):
            defaults |= {"metric_for_best_model": setting.metric, "greater_is_better": higher}
    strategies = with_matching_strategies({**defaults, **user}, setting.has_eval, every)
    complete = {**defaults, **user, **strategies}
    return with_direction(complete) if setting.has_eval else complete


def _batch_per_process() -> int:
    """Return the default number of rows that a process takes at a time.

    Two processes together take as many as one, so they train the same. More of them would have too
    little to compute in a step.
    """
    return max(BATCH // 2, BATCH // process_count())


def _batches(user: Mapping[str, Any], rows: int, batch: int) -> int:
    """Return the number of batches of an epoch, each of which all processes share.

    Raises:
        ConfigError: there is no batch, because the only one is incomplete and dropped.
    """
    needed = batch * process_count()
    if not user.get("dataloader_drop_last"):
        return math.ceil(rows / needed)
    if rows < needed:
        raise ConfigError(
            f"training_args: with dataloader_drop_last=True there is nothing to train on: {rows} rows "
            f"do not fill a batch of {needed}. Leave dataloader_drop_last out, or set a "
            f"smaller per_device_train_batch_size."
        )
    return rows // needed


def _refuse_evaluation_without_data(user: Mapping[str, Any], has_eval: bool) -> None:
    asked = [
        name
        for name, off in (("eval_strategy", "no"), ("load_best_model_at_end", False))
        if not has_eval and plain(user.get(name, off)) != plain(off)
    ]
    if not has_eval and plain(user.get("lr_scheduler_type")) in BY_EVALUATION:
        asked.append("lr_scheduler_type")
    raise_problems(
        ConfigError,
        "training_args ask for an evaluation, but train() got no eval_data:",
        [f"{name} = {cell(user[name])}" for name in asked],
        "Pass eval_data, or leave these arguments out.",
    )


def _may_evaluate_by_steps(user: Mapping[str, Any], every: int) -> bool:
    """Return whether the user set no strategy, and no numbers of steps that conflict."""
    is_open = not {"eval_strategy", "save_strategy"} & set(user)
    return is_open and divides(*(user.get(name, every) for name in ("eval_steps", "save_steps")))


def _learning_rate(setting: Setting) -> float:
    """Return the learning rate for a width; a head that starts from a probe halves it.

    The lower rate preserves the probe. With several labels per row, the probe is far from its
    optimum, and the full rate is better.
    """
    width = math.inf if setting.hidden_size is None else setting.hidden_size
    rate = next(rate for widest, rate in RATES if width <= widest)
    rate = rate * LORA_FACTOR if setting.lora else rate
    return rate / 2 if setting.probe and not setting.several else rate
