"""From tokenized rows to a fitted model: the head, then fine-tuning within the time budget."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers import EarlyStoppingCallback, Trainer, set_seed

from clx.errors import ConfigError
from clx.ml.evaluation.evaluate import pool_windows
from clx.ml.machine.distributed import process_count
from clx.ml.machine.quiet import quiet_transformers
from clx.ml.model.head.initialize import Head
from clx.ml.model.head.label_texts import LabelTexts, label_names_of, label_texts
from clx.ml.model.head.layer import model_columns
from clx.ml.model.head.padding import settle_padding
from clx.ml.model.lora.files import AdapterFiles
from clx.ml.plugins.calls import trainer_callbacks
from clx.ml.results.ending import PROBE, TIME_BUDGET
from clx.ml.run_directory.config import TEMPERATURE
from clx.ml.run_directory.layout import LOGS
from clx.ml.task.author_code import author_code
from clx.ml.task.reporting import NONE
from clx.ml.task.task import Task
from clx.ml.trainer.callbacks import report_into
from clx.ml.trainer.equal_lengths import split_by_length
from clx.ml.trainer.loss_guard import refuse_not_finite
from clx.ml.trainer.trainer import Fitting, checked_metrics, make_trainer, preserve_forward
from clx.ml.training import checkpoints
from clx.ml.training.adapt import LORA, adapt, settle
from clx.ml.training.attention_dropout import is_left_out, restore_dropout
from clx.ml.training.defaults import PATIENCE
from clx.ml.training.ending import StopAtEnd, kept_epoch, stopped_by
from clx.ml.training.heads import Heads, base_model
from clx.ml.training.interrupts import StopOnInterrupt
from clx.ml.training.keep_probe import is_better, restored_probe
from clx.ml.training.plan import DROPOUT, Plan, dropout_to_leave_out, make_plan, read_plan
from clx.ml.training.reopening import require_reopenable
from clx.ml.training.time_budget import MIN_STEPS, StopInTime, limit_steps
from clx.ml.training.untrained import HighestRate, refuse_untrained

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.data.splits import Split
    from clx.ml.model.head.calibration import Calibration
    from clx.ml.training.job import Job


KEPT = "kept"
"""The entry in the results about a probe that is better than the fine-tuned model."""


@dataclass
class Fitted:
    """A fitted model, and the record of how it was made.

    Attributes:
        model: the model, in evaluation mode.
        head: how its head was prepared.
        trainer: the Trainer that fine-tuned it, None without fine-tuning.
        calibration: its calibration, None if it was not calibrated.
        stopped: why the training ended early, None if it ran to its end.
        notes: additional entries of the results.
        adapter: the source of its adapter's files, None if no adapter is kept.
    """

    model: PreTrainedModel
    head: Head
    trainer: Trainer | None = None
    calibration: Calibration | None = None
    stopped: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    adapter: AdapterFiles | None = None

    @property
    def learned(self) -> dict[str, Any]:
        """The config entries that the training determined."""
        return {} if self.calibration is None else {TEMPERATURE: self.calibration.temperature}

    @property
    def steps(self) -> int:
        """The number of optimizer steps taken."""
        return 0 if self.trainer is None else int(self.trainer.state.global_step)

    @property
    def epochs(self) -> float:
        """The number of passes over the training rows."""
        return 0.0 if self.trainer is None else float(self.trainer.state.epoch or 0)

    @property
    def kept(self) -> str | float:
        """``"probe"``, or the epoch after which the fine-tuned model was as it is now."""
        return PROBE if self.trainer is None or KEPT in self.notes else kept_epoch(self.trainer)

    @property
    def train_loss(self) -> float:
        """The mean loss over the steps, NaN if there were none."""
        history = [] if self.trainer is None else self.trainer.state.log_history
        losses = [line["train_loss"] for line in history if "train_loss" in line]
        return float(losses[-1]) if losses else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for ``results.json``."""
        calibration = None if self.calibration is None else self.calibration.to_dict()
        return {"head": self.head.to_dict(), "calibration": calibration, **self.notes}


def fit(job: Job) -> Fitted:
    """Return the task's model, fitted to the split ``train``.

    Raises:
        ConfigError: the model or the labels do not support an option.
    """
    # Seed before the model is loaded, because its new head is random too.
    set_seed(job.seed)
    resumed = read_plan(job)
    dropout = dropout_to_leave_out(job, resumed)
    model = base_model(job, dropout)
    require_reopenable(job, model)
    watch, adapter = _Watch(), None
    with preserve_forward(model):
        trainer = _make_trainer(job, model, watch)
        settle_padding(model, job.tokenizer, job.train.dataset, trainer.data_collator)
        split_by_length(trainer, job.tokenizer.padding_side)
        heads = Heads(job, trainer, dropout, _label_texts(job, model))
        fitted = Fitted(model, heads.first(model, resumed))
        if not job.call.fine_tune:
            _require_probe(job.task, fitted.head)
        else:
            heads.add_label_texts(fitted.head)
            adapter = adapt(job, trainer, fitted.head)
            plan = resumed or make_plan(job, trainer, fitted.head, dropout)
            _fine_tune(job, plan, trainer, watch, fitted)
            if fitted.trainer is not None:
                _keep_better(job, plan, fitted, heads)
    if adapter is not None:
        # Merged here, where the model has its own forward again, without the autocast of bf16.
        published = fitted.steps > 0 and KEPT not in fitted.notes
        fitted.notes[LORA], fitted.adapter = settle(job, adapter, published)
    fitted.model.eval()
    restore_dropout(fitted.model.config, dropout)
    return fitted


def _label_texts(job: Job, model: PreTrainedModel) -> LabelTexts | None:
    """Return the tokenized texts that describe the labels, None if there are none."""
    columns = model_columns(job.train.dataset)
    return label_texts(job.task, job.tokenizer, label_names_of(model), columns)


@dataclass(frozen=True)
class _Watch:
    """The callbacks that record how a training went."""

    interrupt: StopOnInterrupt = field(default_factory=StopOnInterrupt)
    rate: HighestRate = field(default_factory=HighestRate)


def _fine_tune(job: Job, plan: Plan, trainer: Trainer, watch: _Watch, fitted: Fitted) -> None:
    """Train all weights, or keep the probe alone if the time budget allows too few steps."""
    steps, budget = plan.max_steps, job.call.budget
    if steps is not None:
        fitted.notes["time_budget"] = {"seconds": budget and budget.seconds, "steps": steps}
        if steps < MIN_STEPS and fitted.head.init == "probe":
            fitted.stopped = TIME_BUDGET
            return
        limit_steps(trainer, max(1, steps))
    start = job.resume_from
    # torchrun passes Ctrl-C on to processes that already got it, which is the second one for them.
    graceful = job.call.resumable and process_count() == 1
    listening = watch.interrupt.listening() if graceful else contextlib.nullcontext()
    with quiet_transformers(), author_code(job.task, "train"), listening:
        if start is not None and checkpoints.is_finished(start):
            checkpoints.restore(trainer, start)
        else:
            trainer.train(resume_from_checkpoint=None if start is None else str(start))
    refuse_untrained(trainer, watch.rate, fitted.head.init == "probe")
    refuse_not_finite(trainer)
    fitted.model = trainer.accelerator.unwrap_model(trainer.model).eval()
    fitted.trainer = trainer
    fitted.stopped = stopped_by(trainer, budget, limited=steps is not None)
    if is_left_out(fitted.model.config, plan.dropout):
        fitted.notes[DROPOUT] = plan.dropout


def _keep_better(job: Job, plan: Plan, fitted: Fitted, heads: Heads) -> None:
    """Replace the fine-tuned model with the base model and its probe if the probe is better."""
    trainer, head, score = fitted.trainer, fitted.head, plan.probe_score
    assert trainer is not None
    if not is_better(trainer, score, job.work_dir):
        return
    with quiet_transformers():
        fitted.model = restored_probe(lambda: heads.fresh(head.pooling), head, job.work_dir)
    best = trainer.state.best_metric
    fitted.notes[KEPT] = {"model": "probe", "score": score, "best_of_training": best}


def _make_trainer(job: Job, model: PreTrainedModel, watch: _Watch) -> Trainer:
    """Return the Trainer of this training, with all callbacks."""
    task, arguments, budget = job.task, job.arguments, job.call.budget
    # MarkComplete removes old checkpoints after marking the new one; the Trainer does it before.
    kept = arguments.get("save_total_limit")
    callbacks = [
        *job.call.callbacks,
        *trainer_callbacks(task, job.work_dir),
        *([] if budget is None else [StopInTime(budget)]),
        *([StopAtEnd()] if job.train.lazy is not None and job.train.lazy.once else []),
        watch.interrupt,
        watch.rate,
        checkpoints.SavePeriodically(),
        checkpoints.MarkComplete(kept, watch.interrupt),
        checkpoints.RelocateBestCheckpoint(job.resume_from),
    ]
    if arguments.get("load_best_model_at_end") and not _stops_early(callbacks):
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=PATIENCE))
    metrics = _metrics_of_texts(task, job.evaluated)
    fitting = Fitting(job.train.fed, job.eval_set, metrics, callbacks)
    # What clx logs itself is among the callbacks. A fold of a cross-validation logs nothing.
    reporters = list(job.call.reporters) or NONE
    arguments = {**arguments, "save_total_limit": None, "report_to": reporters}
    trainer = make_trainer(task, job.tokenizer, model, arguments, job.work_dir, fitting)
    report_into(trainer, job.work_dir / LOGS)
    return trainer


def _metrics_of_texts(task: Task, evaluated: Split | None) -> Any:
    """Return the function that computes the Trainer's metrics, None for a task without metrics."""
    if type(task).compute_metrics is Task.compute_metrics:
        return None
    compute = checked_metrics(task)
    if evaluated is None:
        return compute
    return lambda prediction: compute(pool_windows(task, evaluated, prediction))


def _stops_early(callbacks: Sequence[Any]) -> bool:
    """Return whether one of these callbacks already stops the training early."""
    kinds = [each if isinstance(each, type) else type(each) for each in callbacks]
    return any(issubclass(kind, EarlyStoppingCallback) for kind in kinds)


def _require_probe(task: Task, head: Head) -> None:
    if head.init != "probe":
        why = head.reason or f"head_init is {task.head_init!r}"
        raise ConfigError(
            f"fine_tune=False fits the model's last layer to the base model's features, which needs "
            f"head_init='probe' and a model that has such a layer: {why}"
        )
