"""Fit as many steps as the time budget allows, from a measured step time."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import Any

import torch
from transformers import Trainer, TrainerCallback

from clx.errors import ConfigError
from clx.ml.machine.distributed import broadcast
from clx.ml.trainer.trainer import predict_before_training, same_random_numbers, sample_of
from clx.problems import cell

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
RESERVE_SHARE = 0.05
RESERVE_S = 2.0
"""The time reserved for writing the run: a share of the budget, plus a number of seconds."""

MEASURED_STEPS = 3
MIN_STEPS = 5
"""The fewest steps of a fine-tuning that starts from a probe: fewer do more harm than good."""

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])", re.IGNORECASE)


def seconds_of(budget: Any) -> float | None:
    """Return a time budget in seconds, None for None.

    Args:
        budget: a number of seconds, or a string such as ``"90s"``, ``"5m"`` or ``"1h30m"``.

    Raises:
        ConfigError: the budget is neither, or is not positive.
    """
    if budget is None:
        return None
    seconds = math.nan
    if isinstance(budget, int | float) and not isinstance(budget, bool):
        seconds = float(budget)
    elif isinstance(budget, str) and re.fullmatch(rf"(\s*{_PART.pattern}\s*)+", budget, re.I):
        seconds = sum(float(n) * UNITS[unit.lower()] for n, unit in _PART.findall(budget))
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(
            f"time_budget must be a positive number of seconds, or a string such as '90s', '5m' or "
            f"'1h30m', but is {cell(budget)}"
        )
    return seconds


@dataclass
class Budget:
    """The time limit of one training.

    Attributes:
        seconds: the limit, counted from the call of ``train``.
        started: ``time.monotonic()`` at that call.
        evaluation_seconds: the estimated duration of the final evaluation, 0 before it is measured.
    """

    seconds: float
    started: float
    evaluation_seconds: float = 0.0

    def left(self) -> float:
        """Return the seconds that are left for optimizer steps."""
        reserve = RESERVE_SHARE * self.seconds + RESERVE_S + 1.2 * self.evaluation_seconds
        return self.seconds - reserve - (time.monotonic() - self.started)

    def steps(self, step_seconds: float) -> int:
        """Return the number of steps of this duration that fit into the time left."""
        return max(0, int(self.left() / max(step_seconds, 1e-6)))


def measure_step(trainer: Trainer) -> float:
    """Return the duration of an optimizer step in seconds, without changing the model.

    Runs forward and backward passes on real training batches, the longest of which comes first, and
    adds about 6% for the update by the optimizer.
    """
    model, device = trainer.model, trainer.args.device
    model.train()
    times = []
    for number, batch in enumerate(trainer.get_train_dataloader()):
        started = time.monotonic()
        inputs = trainer._prepare_inputs(batch)
        # For bf16 and fp16, the Trainer wraps the model only when it first evaluates or trains.
        with trainer.compute_loss_context_manager(), trainer.accelerator.autocast():
            loss = trainer.compute_loss(model, inputs)
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.monotonic() - started)
        if number >= MEASURED_STEPS:
            break
    model.zero_grad(set_to_none=True)
    # The first batch warms up caches.
    measured = times[1:] or times
    batches_per_step: int = trainer.args.gradient_accumulation_steps
    return 1.06 * batches_per_step * sum(measured) / len(measured)


def measure_evaluation(trainer: Trainer, budget: Budget | None, dataset: Any) -> None:
    """Estimate the duration of an evaluation from a sample of its rows, and store it in the budget."""
    if budget is None or dataset is None:
        return
    sample = sample_of(dataset)
    started = time.monotonic()
    predict_before_training(trainer, sample, metrics=False)
    taken = time.monotonic() - started
    budget.evaluation_seconds = broadcast(taken * len(dataset) / len(sample))


def steps_in_time(trainer: Trainer, budget: Budget | None, eval_set: Any) -> int | None:
    """Return the number of steps that fit, None if all planned steps fit or there is no limit."""
    if budget is None:
        return None
    # Measuring must not change the random numbers of the training.
    with same_random_numbers(trainer):
        step = broadcast(measure_step(trainer))
    args = trainer.args
    steps_per_epoch = max(
        1, len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps
    )
    planned = (
        args.max_steps if args.max_steps > 0 else round(steps_per_epoch * args.num_train_epochs)
    )
    fitting = broadcast(budget.steps(step))
    if fitting >= planned:
        return None
    if eval_set is not None and args.eval_strategy != "no":
        # limit_steps allows two evaluations during the training, which take time too.
        fitting = max(0, fitting - int(2 * budget.evaluation_seconds / step))
    return fitting


def limit_steps(trainer: Trainer, steps: int) -> None:
    """Limit the training to ``steps``, and adapt the schedule, the logging and the evaluations."""
    args = trainer.args
    args.max_steps = steps
    # The first step of a warm-up has a rate of 0, so a single step must have none.
    args.warmup_steps = min(args.warmup_steps, max(1, steps // 10), steps - 1)
    args.logging_steps = max(1, min(args.logging_steps, steps // 10))
    if args.eval_strategy != "no":
        every = max(1, -(-steps // 2))
        args.eval_strategy = args.save_strategy = "steps"
        args.eval_steps = args.save_steps = every
        # The Trainer computed its state from the arguments before this change.
        trainer.state.compute_steps(args, steps)


class StopInTime(TrainerCallback):  # type: ignore[misc]
    """Stop the training when the time is up, in case steps take longer than measured.

    The learning rate is capped by a line that falls with the time left, so that a stopped training does
    not end at a high rate.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._started = self._available = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record the time that is available for steps."""
        available = broadcast(max(self.budget.left(), 1e-3))
        self._started, self._available = time.monotonic(), available

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lower the learning rate, and set ``control.should_training_stop`` if no time is left."""
        # Processes whose clocks differ would get different rates, or not stop at the same step.
        elapsed, left = broadcast((time.monotonic() - self._started, self.budget.left()))
        share_left = max(0.0, 1 - elapsed / self._available)
        optimizer = kwargs.get("optimizer")
        for group in () if optimizer is None else optimizer.param_groups:
            group["lr"] = min(group["lr"], group.get("initial_lr", group["lr"]) * share_left)
        if left <= 0:
            control.should_training_stop = True
            if state.best_metric is None and args.load_best_model_at_end:
                # Nothing was evaluated yet: do it once, to compare the model with the probe.
                control.should_evaluate = control.should_save = True
