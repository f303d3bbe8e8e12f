"""Training within a given time: what a step takes is measured, and so many are made as fit."""

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
from clx.ml.trainer.trainer import predict_before_training, same_random_numbers
from clx.problems import cell

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
RESERVE_SHARE = 0.05
RESERVE_S = 2.0
"""What is kept for writing the run; the rest of the reserve is what evaluation takes."""

MEASURED_STEPS = 3
MIN_STEPS = 5
"""Fewer steps are not begun: a schedule of so few does more harm than good."""

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])", re.IGNORECASE)


def seconds_of(budget: Any) -> float | None:
    """Return a time budget in seconds: a number of them, or such as ``"90s"``, ``"5m"``, ``"1h30m"``.

    Raises:
        ConfigError: it is neither, or not above 0.
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
            f"time_budget must be a number of seconds, or such as '90s', '5m' or '1h30m', but is "
            f"{cell(budget)}"
        )
    return seconds


@dataclass
class Budget:
    """When a training has to be over.

    Attributes:
        seconds: the whole time, from the call of ``train`` on.
        started: ``time.monotonic()`` of that call.
        evaluation_seconds: what the last evaluation will take, as far as is known.
    """

    seconds: float
    started: float
    evaluation_seconds: float = 0.0

    def left(self) -> float:
        """Return how many seconds there are for optimiser steps."""
        reserve = RESERVE_SHARE * self.seconds + RESERVE_S + 1.2 * self.evaluation_seconds
        return self.seconds - reserve - (time.monotonic() - self.started)

    def steps(self, step_seconds: float) -> int:
        """Return how many steps of that length fit."""
        return max(0, int(self.left() / max(step_seconds, 1e-6)))


def measure_step(trainer: Trainer) -> float:
    """Return how many seconds an optimiser step takes, without changing the model.

    Forward and backward passes are made on real batches, the first of them the longest that there
    is; the optimiser's own part, about 6 % of it, is added.
    """
    model, device = trainer.model, trainer.args.device
    model.train()
    times = []
    for number, batch in enumerate(trainer.get_train_dataloader()):
        begun = time.monotonic()
        inputs = trainer._prepare_inputs(batch)
        # For bf16 and fp16 the Trainer wraps the model so when it first evaluates or trains.
        with trainer.compute_loss_context_manager(), trainer.accelerator.autocast():
            loss = trainer.compute_loss(model, inputs)
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.monotonic() - begun)
        if number >= MEASURED_STEPS:
            break
    model.zero_grad(set_to_none=True)
    # The first one warms caches up.
    measured = times[1:] or times
    accumulated: int = trainer.args.gradient_accumulation_steps
    return 1.06 * accumulated * sum(measured) / len(measured)


def measure_evaluation(trainer: Trainer, budget: Budget | None, dataset: Any) -> None:
    """Note how long an evaluation takes, by a sample of its rows; None for no dataset."""
    if budget is None or dataset is None:
        return
    sample = dataset.select(range(0, len(dataset), max(1, len(dataset) // 64)))
    begun = time.monotonic()
    predict_before_training(trainer, sample)
    taken = time.monotonic() - begun
    budget.evaluation_seconds = broadcast(taken * len(dataset) / len(sample))


def steps_in_time(trainer: Trainer, budget: Budget | None, eval_set: Any) -> int | None:
    """Return how many steps there is time for; None when all fit, or there is no limit."""
    if budget is None:
        return None
    # What is tried must not change what is trained.
    with same_random_numbers(trainer):
        step = broadcast(measure_step(trainer))
    args = trainer.args
    per_epoch = max(1, len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps)
    planned = args.max_steps if args.max_steps > 0 else round(per_epoch * args.num_train_epochs)
    fitting = broadcast(budget.steps(step))
    if fitting >= planned:
        return None
    if eval_set is not None and args.eval_strategy != "no":
        # Evaluations in between take time too: two are afforded.
        fitting = max(0, fitting - int(2 * budget.evaluation_seconds / step))
    return fitting


def limit_steps(trainer: Trainer, steps: int) -> None:
    """Let the schedule, the logging and the evaluations be those of so many steps."""
    args = trainer.args
    args.max_steps = steps
    args.warmup_steps = min(args.warmup_steps, max(1, steps // 10))
    args.logging_steps = max(1, min(args.logging_steps, steps // 10))
    if args.eval_strategy != "no":
        every = max(1, -(-steps // 2))
        args.eval_strategy = args.save_strategy = "steps"
        args.eval_steps = args.save_steps = every
        # The callbacks' state was made from the arguments as they were.
        trainer.state.compute_steps(args, steps)


class StopInTime(TrainerCallback):  # type: ignore[misc]
    """Ends the training when the time is up, should steps take longer than was measured.

    The learning rate then falls with the time, so that a training that is ended is not broken off at
    a high one.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._begun = self._whole = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the time that there is for steps."""
        self._begun, self._whole = time.monotonic(), max(self.budget.left(), 1e-3)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set ``control.should_training_stop`` when no time is left."""
        left = max(0.0, 1 - (time.monotonic() - self._begun) / self._whole)
        optimizer = kwargs.get("optimizer")
        for group in () if optimizer is None else optimizer.param_groups:
            group["lr"] = min(group["lr"], group.get("initial_lr", group["lr"]) * left)
        if self.budget.left() <= 0:
            control.should_training_stop = True
            if state.best_metric is None and args.load_best_model_at_end:
                # Steps took far longer than measured: was it worth them?
                control.should_evaluate = control.should_save = True
