"""From tokenised rows to a fitted model: head, fine-tuning within the time there is, calibration."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers import EarlyStoppingCallback, EvalPrediction, Trainer, set_seed

from clx.errors import ConfigError
from clx.ml.data.lengths import input_lengths
from clx.ml.data.splits import windows_of_split
from clx.ml.evaluation.evaluate import Predicted, pool_windows
from clx.ml.machine.distributed import agreed, is_writer
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.calibration import Calibration, calibrate
from clx.ml.model.head.class_weights import label_weights, weighted_loss
from clx.ml.model.head.initialize import Head, label_kind_of, prepare_head
from clx.ml.model.head.label_texts import label_names_of, label_texts
from clx.ml.model.head.layer import divide_head, input_columns
from clx.ml.model.loading import load_model
from clx.ml.plugins import calls as hook_calls
from clx.ml.run_directory.config import TEMPERATURE
from clx.ml.run_directory.layout import write_json
from clx.ml.task.author_code import author_code
from clx.ml.task.option_checks import unknown_labels
from clx.ml.task.task import Task
from clx.ml.trainer.loss_guard import refuse_not_finite
from clx.ml.trainer.trainer import Fitting, checked_metrics, make_trainer, own_forward
from clx.ml.training import checkpoints
from clx.ml.training.attention_dropout import is_left_out, put_back, rates_to_leave_out
from clx.ml.training.defaults import PATIENCE
from clx.ml.training.interrupts import StopOnInterrupt
from clx.ml.training.keep_probe import is_better, restored_probe, score_probe
from clx.ml.training.time_budget import (
    MIN_STEPS,
    Budget,
    StopInTime,
    limit_steps,
    measure_evaluation,
    steps_in_time,
)
from clx.problems import raise_problems

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.data.splits import Split
    from clx.ml.data.windows import TextWindows
    from clx.ml.task.task import Task

DROPOUT = "attention_dropout_left_out"
"""In the plan and in results."""

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


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        task: whose model is fitted.
        base: the folder of the base model.
        tokenizer: the base model's tokenizer.
        splits: validated and tokenised; one is named ``train``, another may be ``eval``.
        arguments: for the Trainer, as far as they are not its defaults.
        work_dir: where the checkpoints are.
        resume_from: the checkpoint to go on from, None for a training from the start.
        call: what else the caller asked for.
    """

    task: Task
    base: Path
    tokenizer: PreTrainedTokenizerBase
    splits: Sequence[Split]
    arguments: dict[str, Any]
    work_dir: Path
    resume_from: Path | None
    call: Call

    @property
    def train(self) -> Split:
        """What is trained on."""
        return next(split for split in self.splits if split.name == "train")

    @property
    def evaluated(self) -> Split | None:
        """What is evaluated between epochs."""
        return next((split for split in self.splits if split.name == "eval"), None)

    @property
    def eval_set(self) -> Dataset | None:
        """Its rows, as the model is fed."""
        return None if self.evaluated is None else self.evaluated.dataset

    @functools.cached_property
    def plan(self) -> dict[str, Any]:
        """What the training that is resumed decided; empty for a training from the start."""
        return {} if self.resume_from is None else _read_plan(self.work_dir)

    @functools.cached_property
    def dropout_left_out(self) -> dict[str, float]:
        """The dropout of attention that the fine-tuning does without, for the length of its rows."""
        if self.resume_from is not None:
            return dict(self.plan.get(DROPOUT, {}))
        if not self.call.fine_tune:
            return {}
        lengths = input_lengths(self.train.dataset)
        return rates_to_leave_out(self.base, self.task.model_args, lengths)

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        return int(self.arguments.get("seed", 42))


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
    def learned(self) -> dict[str, Any]:
        """Entries of the config that record what the training found."""
        return {} if self.calibration is None else {TEMPERATURE: self.calibration.temperature}

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


def fit(job: Job) -> Fitted:
    """Return the run's model, fitted to the split ``train``.

    Raises:
        ConfigError: an option cannot be had with this model or these labels.
    """
    # Before the model is loaded: its new head is random too.
    set_seed(job.seed)
    model = _base_model(job)
    with own_forward(model):
        fitted = _fit(job, model)
    put_back(fitted.model.config, job.dropout_left_out)
    return fitted


def _fit(job: Job, model: PreTrainedModel) -> Fitted:
    task, rows = job.task, job.train.dataset
    interrupt = StopOnInterrupt()
    trainer = _make_trainer(job, model, interrupt)
    # The largest logit of a text is that of one window: then the probe is fitted to windows.
    windows = None if task.window_pooling == "max" else windows_of_split(task, job.train)
    plan = job.plan
    texts = label_texts(task, label_names_of(model), input_columns(rows))
    prepare = functools.partial(
        prepare_head,
        folder=job.base,
        dataset=rows,
        collator=task.load_data_collator(),
        model_args=task.model_args,
        label_weights=_use_class_weights(task, trainer, rows, windows),
        windows=windows,
        texts=texts,
        fine_tune=job.call.fine_tune,
        seed=job.seed,
    )
    with quiet_transformers():
        head = prepare(
            model,
            pooling=plan.get("pooling", task.pooling),
            init="random" if job.resume_from is not None else task.head_init,
            wanted=task.calibrate or not job.call.fine_tune,
        )
    fitted = Fitted(model, head)
    if not job.call.fine_tune:
        _require_probe(task, head)
        model.eval()
        return fitted
    if plan:
        # The weights of the probe are in the checkpoint.
        head.init, head.strength = plan.get("init", head.init), plan.get("strength")
        head.label_texts = plan.get("label_texts", 0)
    if texts is not None and agreed(head.label_texts > 0):
        # Without them a fine-tuning unlearns a label that is known by its description alone.
        trainer.train_dataset = texts.added_to(rows, head.kind == "multi")
    plan = plan or _make_plan(job, trainer, head)
    if not _fine_tune(job, trainer, interrupt, fitted, plan.get("max_steps")):
        model.eval()
        return fitted
    score = plan.get("probe_score")
    if is_better(trainer, score, job.work_dir):

        def pooled_base() -> tuple[PreTrainedModel, Head]:
            fresh = _base_model(job)
            return fresh, prepare(fresh, pooling=head.pooling, init="random", wanted=True)

        with quiet_transformers():
            fitted.model = restored_probe(pooled_base, head, job.work_dir)
        best = trainer.state.best_metric
        fitted.notes["kept"] = {"model": "probe", "score": score, "best_of_training": best}
    return fitted


def _fine_tune(
    job: Job, trainer: Trainer, interrupt: StopOnInterrupt, fitted: Fitted, steps: int | None
) -> bool:
    """Train all weights, for so many steps where the time is limited.

    Returns:
        Whether there was time for it.
    """
    if steps is not None:
        budget = job.call.budget
        fitted.notes["time_budget"] = {"seconds": budget and budget.seconds, "steps": steps}
        if steps < MIN_STEPS and fitted.head.init == "probe":
            return False
        limit_steps(trainer, max(1, steps))
    start = job.resume_from
    with quiet_transformers(), author_code(job.task, "train"), interrupt.listening():
        if start is not None and checkpoints.is_finished(start):
            checkpoints.restore(trainer, start)
        else:
            trainer.train(resume_from_checkpoint=None if start is None else str(start))
    refuse_not_finite(trainer)
    fitted.model = trainer.accelerator.unwrap_model(trainer.model).eval()
    fitted.trainer = trainer
    if is_left_out(fitted.model.config, job.dropout_left_out):
        fitted.notes[DROPOUT] = job.dropout_left_out
    return True


def _base_model(job: Job) -> PreTrainedModel:
    changed = dict.fromkeys(job.dropout_left_out, 0.0)
    try:
        model = load_model(job.task, job.base, job.tokenizer, changed)
    except TypeError:
        if not changed:
            raise
        # A task's load_model may not accept what a user did not ask for.
        model = load_model(job.task, job.base, job.tokenizer)
    return model if {"dtype", "torch_dtype"} & set(job.task.model_args) else model.float()


def _make_trainer(job: Job, model: PreTrainedModel, interrupt: StopOnInterrupt) -> Trainer:
    task, arguments, budget = job.task, job.arguments, job.call.budget
    # Old checkpoints go when the new one is marked: the Trainer would remove them before.
    kept = arguments.get("save_total_limit")
    callbacks = [
        *job.call.callbacks,
        *hook_calls.trainer_callbacks(task, job.work_dir),
        *([] if budget is None else [StopInTime(budget)]),
        interrupt,
        checkpoints.SaveNowAndThen(),
        checkpoints.MarkComplete(kept, interrupt),
        checkpoints.BestInThisPlace(job.resume_from),
    ]
    if arguments.get("load_best_model_at_end") and not _stops_early(callbacks):
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=PATIENCE))
    metrics = _metrics_of_texts(task, job.evaluated)
    fitting = Fitting(job.train.dataset, job.eval_set, metrics, callbacks)
    arguments = {**arguments, "save_total_limit": None}
    return make_trainer(task, job.tokenizer, model, arguments, job.work_dir, fitting)


def _metrics_of_texts(task: Task, evaluated: Split | None) -> Any:
    """Return what the Trainer computes metrics with, None for a task that has none."""
    if type(task).compute_metrics is Task.compute_metrics:
        return None
    compute = checked_metrics(task)
    if evaluated is None:
        return compute
    return lambda prediction: compute(pool_windows(task, evaluated, prediction))


def _stops_early(callbacks: Sequence[Any]) -> bool:
    """Return whether the user has a rule of their own for ending a training early."""
    kinds = [each if isinstance(each, type) else type(each) for each in callbacks]
    return any(issubclass(kind, EarlyStoppingCallback) for kind in kinds)


def _use_class_weights(
    task: Task, trainer: Trainer, dataset: Any, windows: TextWindows | None
) -> Tensor | None:
    """Give the Trainer a loss with the weights of the labels, if the user wants any.

    Returns:
        The weights for the probe: of whole texts, where ``windows`` are rows of the training.
    """
    if task.class_weights is None:
        return None
    if type(trainer).compute_loss is not Trainer.compute_loss:
        raise ConfigError(
            f"class_weights cannot be used with the task {task.name!r}: its trainer_class "
            f"({task.trainer_class.__name__}) computes a loss of its own"
        )
    kind = label_kind_of(trainer.model, dataset)
    if kind not in ("single", "multi"):
        raise ConfigError(
            f"class_weights cannot be used with the task {task.name!r}: its rows do not have one "
            f"label each, or 0 and 1 for each label"
        )
    names = label_names_of(trainer.model)
    raise_problems(
        ConfigError,
        "class_weights cannot be used:",
        unknown_labels("class_weights", task.class_weights, names),
    )
    labels = np.asarray(dataset["labels"][:])
    weights = label_weights(task.class_weights, labels, kind, names)
    trainer.compute_loss_func = weighted_loss(weights, kind, trainer.args.label_smoothing_factor)
    if windows is None:
        return weights
    return label_weights(task.class_weights, labels[windows.firsts()], kind, names)


def _require_probe(task: Task, head: Head) -> None:
    if head.init != "probe":
        why = head.reason or f"head_init is {task.head_init!r}"
        raise ConfigError(
            f"fine_tune=False fits the model's last layer to the base model's features, which needs "
            f"head_init='probe' and a model that has such a layer: {why}"
        )


def _make_plan(job: Job, trainer: Trainer, head: Head) -> dict[str, Any]:
    """Decide how many steps to make and what the probe is worth, and write it down."""
    budget, eval_set = job.call.budget, job.eval_set
    measure_evaluation(trainer, budget, eval_set)
    plan = {
        "pooling": head.pooling,
        "init": head.init,
        "strength": head.strength,
        "label_texts": head.label_texts,
        DROPOUT: job.dropout_left_out,
        "probe_score": score_probe(trainer, eval_set, head, job.work_dir, budget),
        "max_steps": steps_in_time(trainer, budget, eval_set),
    }
    if is_writer():
        write_json(job.work_dir / PLAN, plan)
    return plan


def _read_plan(work_dir: Path) -> dict[str, Any]:
    try:
        plan = json.loads((work_dir / PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def calibrated(task: Task, fitted: Fitted, predicted: Predicted) -> Predicted:
    """Fold the temperature that fits eval predictions into the head; return what it now predicts."""
    head, prediction = fitted.head, predicted.prediction
    if not task.calibrate or head.layer is None or head.kind not in ("single", "multi"):
        return predicted
    found = calibrate(prediction.label_ids, prediction.predictions, head.kind)
    if found is None:
        return predicted
    divide_head(head.layer, found.temperature)
    fitted.calibration = found
    loss = predicted.loss
    if loss is not None and math.isclose(loss, found.log_loss_before, rel_tol=1e-3):
        # The loss is the log-loss, and that of the calibrated scores is known.
        loss = found.log_loss_after
    scaled = prediction.predictions / found.temperature
    return replace(
        predicted,
        prediction=EvalPrediction(predictions=scaled, label_ids=prediction.label_ids),
        loss=loss,
    )
