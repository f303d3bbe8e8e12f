"""From tokenised rows to a fitted model: head, fine-tuning within the time there is, calibration."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import EarlyStoppingCallback, EvalPrediction, Trainer, set_seed

from clx.errors import ConfigError
from clx.ml import checkpoints, hook_calls
from clx.ml.arguments import PATIENCE
from clx.ml.author_code import author_code
from clx.ml.calibration import Calibration, calibrate
from clx.ml.class_weights import label_weights, weighted_loss
from clx.ml.config import TEMPERATURE
from clx.ml.evaluation import of_texts
from clx.ml.head import divide_head
from clx.ml.head_init import Head, label_kind_of, prepare_head
from clx.ml.interrupts import StopOnInterrupt
from clx.ml.loading import load_model
from clx.ml.loss_guard import refuse_not_finite
from clx.ml.quality_options import unknown_labels
from clx.ml.quiet import quiet_transformers
from clx.ml.run_dir import write_json
from clx.ml.task_hooks import TaskHooks
from clx.ml.time_budget import MIN_STEPS, Budget, StopInTime, measure_step
from clx.ml.trainer import checked_metrics, make_trainer
from clx.problems import raise_problems

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from clx.ml.run import TrainingRun
    from clx.ml.splits import Split

PLAN = "plan.json"
"""What a training decided for itself before its first step: a resumed one keeps to it."""


@dataclass(frozen=True)
class Call:
    """What the caller of ``train`` asked for, for this one training.

    Attributes:
        fine_tune: whether more than the head is fitted.
        budget: when it has to be over, None for no limit.
        callbacks: of the user.
    """

    fine_tune: bool = True
    budget: Budget | None = None
    callbacks: Sequence[Any] = ()


@dataclass
class Fitted:
    """A fitted model and how it came about.

    Attributes:
        model: in evaluation mode.
        head: what was done about its head.
        trainer: None when nothing was fine-tuned.
        calibration: None when there was none.
        notes: for the results.
    """

    model: PreTrainedModel
    head: Head
    trainer: Trainer | None = None
    calibration: Calibration | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Optimiser steps that were taken."""
        return 0 if self.trainer is None else int(self.trainer.state.global_step)

    @property
    def epochs(self) -> float:
        """Passes over the training rows."""
        return 0.0 if self.trainer is None else float(self.trainer.state.epoch or 0)

    @property
    def train_loss(self) -> float:
        """The mean loss over the steps, NaN when there were none."""
        history = [] if self.trainer is None else self.trainer.state.log_history
        losses = [line["train_loss"] for line in history if "train_loss" in line]
        return float(losses[-1]) if losses else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for ``results.json``."""
        calibration = None if self.calibration is None else self.calibration.to_dict()
        return {"head": self.head.to_dict(), "calibration": calibration, **self.notes}


def fit(
    run: TrainingRun,
    base: Path,
    splits: Sequence[Split],
    arguments: dict[str, Any],
    work_dir: Path,
    resume_from: Path | None,
    call: Call,
) -> Fitted:
    """Return the run's model, fitted to the split ``train``.

    Raises:
        ConfigError: an option cannot be had with this model or these labels.
    """
    # Before the model is loaded: its new head is random too.
    set_seed(arguments.get("seed", 42))
    model = load_model(run, base, run.tokenizer)
    if not {"dtype", "torch_dtype"} & set(run.model_args):
        model.float()
    datasets = {split.name: split.dataset for split in splits}
    interrupt = StopOnInterrupt()
    trainer = _make_trainer(
        run,
        model,
        splits,
        arguments,
        work_dir,
        [*call.callbacks],
        call.budget,
        interrupt,
        resume_from,
    )
    weights = _use_class_weights(run, trainer, datasets["train"])
    plan = _read_plan(work_dir) if resume_from is not None else {}
    with quiet_transformers():
        head = prepare_head(
            model,
            base,
            datasets["train"],
            run.load_data_collator(),
            pooling=plan.get("pooling", run.pooling),
            init="random" if resume_from is not None else run.head_init,
            wanted=run.calibrate or not call.fine_tune,
            model_args=run.model_args,
            label_weights=weights,
            fine_tune=call.fine_tune,
            seed=arguments.get("seed", 42),
        )
    fitted = Fitted(model, head)
    if not call.fine_tune:
        _require_probe(run, head)
        model.eval()
        return fitted
    steps = plan.get("max_steps") if plan else _steps_in_time(trainer, call.budget, datasets, head)
    if steps is not None:
        fitted.notes["time_budget"] = {
            "seconds": call.budget and call.budget.seconds,
            "steps": steps,
        }
    if plan:
        # The weights of the probe are in the checkpoint.
        head.init, head.strength = plan.get("init", head.init), plan.get("strength")
    write_json(
        work_dir / PLAN,
        {
            "pooling": head.pooling,
            "init": head.init,
            "strength": head.strength,
            "max_steps": steps,
        },
    )
    if steps is not None and steps < MIN_STEPS and head.init == "probe":
        model.eval()
        return fitted
    if steps is not None:
        _limit_steps(trainer, max(1, steps))
    with quiet_transformers(), author_code(run, "train"), interrupt.listening():
        if resume_from is not None and checkpoints.is_finished(resume_from):
            checkpoints.restore(trainer, resume_from)
        else:
            trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
    refuse_not_finite(trainer)
    fitted.model = trainer.accelerator.unwrap_model(trainer.model).eval()
    fitted.trainer = trainer
    return fitted


def _make_trainer(
    run: TrainingRun,
    model: PreTrainedModel,
    splits: Sequence[Split],
    arguments: dict[str, Any],
    work_dir: Path,
    callbacks: list[Any],
    budget: Budget | None,
    interrupt: StopOnInterrupt,
    resume_from: Path | None,
) -> Trainer:
    datasets = {split.name: split.dataset for split in splits}
    # Old checkpoints go when the new one is marked: the Trainer would remove them before.
    kept = arguments.get("save_total_limit")
    callbacks += [
        *hook_calls.trainer_callbacks(run, work_dir),
        *([] if budget is None else [StopInTime(budget)]),
        interrupt,
        checkpoints.SaveNowAndThen(),
        checkpoints.MarkComplete(kept, interrupt),
        checkpoints.BestInThisPlace(resume_from),
    ]
    arguments = {**arguments, "save_total_limit": None}
    if arguments.get("load_best_model_at_end") and not _stops_early(callbacks):
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=PATIENCE))
    return make_trainer(
        run,
        model,
        arguments,
        work_dir,
        datasets["train"],
        datasets.get("eval"),
        _metrics_of_texts(run, splits),
        callbacks,
    )


def _metrics_of_texts(run: TrainingRun, splits: Sequence[Split]) -> Any:
    """Return what the Trainer computes metrics with, None for a task that has none."""
    if type(run).compute_metrics is TaskHooks.compute_metrics:
        return None
    compute = checked_metrics(run)
    evaluated = next((split for split in splits if split.name == "eval"), None)
    if evaluated is None:
        return compute
    return lambda prediction: compute(of_texts(run, evaluated, prediction))


def _stops_early(callbacks: Sequence[Any]) -> bool:
    """Return whether the user has a rule of their own for ending a training early."""
    kinds = [each if isinstance(each, type) else type(each) for each in callbacks]
    return any(issubclass(kind, EarlyStoppingCallback) for kind in kinds)


def _use_class_weights(run: TrainingRun, trainer: Trainer, dataset: Any) -> Tensor | None:
    """Give the Trainer a loss with the weights of the labels, if the user wants any."""
    if run.class_weights is None:
        return None
    if type(trainer).compute_loss is not Trainer.compute_loss:
        raise ConfigError(
            f"class_weights cannot be used with the task {run.name!r}: its trainer_class "
            f"({run.trainer_class.__name__}) computes a loss of its own"
        )
    kind = label_kind_of(trainer.model, dataset)
    if kind not in ("single", "multi"):
        raise ConfigError(
            f"class_weights cannot be used with the task {run.name!r}: its rows do not have one "
            f"label each, or 0 and 1 for each label"
        )
    names = [str(name) for _, name in sorted(trainer.model.config.id2label.items())]
    raise_problems(
        ConfigError, "class_weights cannot be used:", unknown_labels(run.class_weights, names)
    )
    weights = label_weights(run.class_weights, dataset["labels"][:], kind, names)
    trainer.compute_loss_func = weighted_loss(weights, kind, trainer.args.label_smoothing_factor)
    return weights


def _require_probe(run: TrainingRun, head: Head) -> None:
    if head.init != "probe":
        why = head.reason or f"head_init is {run.head_init!r}"
        raise ConfigError(
            f"fine_tune=False fits the model's last layer to the base model's features, which needs "
            f"head_init='probe' and a model that has such a layer: {why}"
        )


def _read_plan(work_dir: Path) -> dict[str, Any]:
    try:
        plan = json.loads((work_dir / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def _steps_in_time(
    trainer: Trainer, budget: Budget | None, datasets: dict[str, Any], head: Head
) -> int | None:
    """Return how many steps there is time for; None when all fit, or there is no limit."""
    if budget is None:
        return None
    # What is tried must not change what is trained.
    with torch.random.fork_rng():
        if "eval" in datasets:
            budget.evaluation_seconds = _evaluation_seconds(trainer, datasets["eval"])
        step = measure_step(trainer)
    args = trainer.args
    per_epoch = max(1, len(trainer.get_train_dataloader()) // args.gradient_accumulation_steps)
    planned = args.max_steps if args.max_steps > 0 else round(per_epoch * args.num_train_epochs)
    fitting = budget.steps(step)
    if fitting >= planned:
        return None
    if "eval" in datasets and args.eval_strategy != "no":
        # Evaluations in between take time too: two are afforded.
        fitting = max(0, fitting - int(2 * budget.evaluation_seconds / step))
    return fitting


def _evaluation_seconds(trainer: Trainer, dataset: Any) -> float:
    """Return how long an evaluation takes, by a sample of its rows."""
    sample = dataset.select(range(0, len(dataset), max(1, len(dataset) // 64)))
    begun = time.monotonic()
    trainer.get_eval_dataloader(sample)
    trainer.predict(sample)
    return (time.monotonic() - begun) * len(dataset) / len(sample)


def _limit_steps(trainer: Trainer, steps: int) -> None:
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


def calibrate_model(run: TrainingRun, fitted: Fitted, prediction: EvalPrediction) -> EvalPrediction:
    """Fold the temperature that fits eval predictions into the head; return what it now predicts."""
    head = fitted.head
    if not run.calibrate or head.layer is None or head.kind not in ("single", "multi"):
        return prediction
    found = calibrate(prediction.label_ids, prediction.predictions, head.kind)
    if found is None:
        return prediction
    divide_head(head.layer, found.temperature)
    fitted.calibration = found
    run._extra_config[TEMPERATURE] = found.temperature
    return EvalPrediction(
        predictions=prediction.predictions / found.temperature, label_ids=prediction.label_ids
    )
