"""A training from data to a published run directory, in the order in which it happens."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import set_seed

from clx.ml import checkpoints, hook_calls
from clx.ml.arguments import check_training_args, choose_arguments
from clx.ml.author_code import author_code
from clx.ml.base_models import resolve_base_model
from clx.ml.config import raise_config_problems
from clx.ml.data import fingerprint, to_frame
from clx.ml.data_checking import check_splits, warn_or_stop
from clx.ml.disk_space import full_disk_named, training_bytes, warn_if_short
from clx.ml.evaluation import evaluate_predictions, predict_split
from clx.ml.existing import refuse_existing
from clx.ml.interrupts import StopOnInterrupt
from clx.ml.loading import load_model, load_tokenizer
from clx.ml.loss_guard import refuse_not_finite
from clx.ml.out_of_memory import memory_for_training
from clx.ml.publishing import write_run
from clx.ml.quiet import quiet_transformers
from clx.ml.results import EvaluationResult, TrainingResult
from clx.ml.run_dir import RunDir
from clx.ml.run_lock import only_writer
from clx.ml.splits import Split, tokenised_split
from clx.ml.staging import recover, staged
from clx.ml.task_hooks import TaskHooks
from clx.ml.trainer import checked_metrics, make_trainer

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, Trainer

    from clx.ml.data_check import DataCheck
    from clx.ml.run import TrainingRun


def train_run(
    run: TrainingRun,
    train_data: Any,
    eval_data: Any,
    overwrite: bool,
    resume: bool,
    callbacks: Sequence[Any] | None,
) -> TrainingResult:
    """Train ``run`` and publish it in its directory; see :meth:`TrainingRun.train`."""
    started = time.monotonic()
    target = RunDir(run.run_dir)
    train_frame, eval_frame = validated_frames(run, train_data, eval_data)
    arguments, problems = check_training_args(run.training_args)
    raise_config_problems(problems, f"The training of {run.run_name!r}")
    with only_writer(target), ExitStack() as faults:
        run._resolve_metrics()
        recover(target)
        refuse_existing(target, overwrite, resume)
        hook_calls.before_training(run, train_frame, eval_frame)
        has_eval = eval_frame is not None
        arguments = hook_calls.proposed_arguments(run, arguments, len(train_frame), has_eval)
        base = resolve_base_model(run.base_model_name)
        arguments = choose_arguments(
            arguments,
            rows=len(train_frame),
            has_eval=eval_frame is not None,
            hidden_size=_hidden_size(base),
            cuda=torch.cuda.is_available() and run.device != "cpu",
        )
        needed = training_bytes(base, arguments)
        warn_if_short(target.path.parent, needed)
        identity = _identity(run, train_frame, eval_frame, arguments)
        faults.enter_context(full_disk_named(target.path.parent, needed))
        faults.enter_context(memory_for_training(arguments))
        resume_from = checkpoints.enter(target.checkpoints, identity, resume)
        try:
            splits = tokenised_splits(run, train_frame, eval_frame)
            check = check_splits(run, splits)
            warn_or_stop(check, run.strict_data)
            model, trainer = _fit(run, base, splits, arguments, target, callbacks, resume_from)
            evaluation = _evaluation(run, model, splits)
            result = TrainingResult(
                run_dir=target.path,
                metrics={} if evaluation is None else evaluation.metrics,
                evaluation=evaluation,
                train_loss=_train_loss(trainer),
                steps=trainer.state.global_step,
                epochs=float(trainer.state.epoch or 0),
                seconds=time.monotonic() - started,
                rows={split.name: len(split.frame) for split in splits},
                truncated={split.name: split.truncated for split in splits},
                data_check=check,
            )
            with staged(target) as new:
                write_run(
                    new,
                    run,
                    model,
                    run.tokenizer,
                    result,
                    {"data": identity["data"]},
                    target.checkpoints,
                )
        except BaseException:
            _tidy(target)
            raise
    return result


def check_run_data(run: TrainingRun, train_data: Any, eval_data: Any) -> DataCheck:
    """Return what is found in the data; see :meth:`TrainingRun.check`."""
    frames = validated_frames(run, train_data, eval_data)
    return check_splits(run, tokenised_splits(run, *frames))


def validated_frames(
    run: TrainingRun, train_data: Any, eval_data: Any
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return validated frames; what the config takes from the data is in between."""
    train_frame = to_frame(train_data, "train_data")
    run._validate_frame(train_frame, "train_data")
    with author_code(run, "infer_config"):
        run.infer_config(train_frame)
    if eval_data is None:
        return train_frame, None
    eval_frame = to_frame(eval_data, "eval_data")
    run._validate_frame(eval_frame, "eval_data")
    return train_frame, eval_frame


def _hidden_size(folder: Path) -> int | None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    size = config.get("hidden_size") or config.get("dim") or config.get("d_model")
    return size if isinstance(size, int) else None


def _identity(
    run: TrainingRun,
    train_frame: pd.DataFrame,
    eval_frame: pd.DataFrame | None,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Return what has to be the same for an unfinished training to be resumed."""
    kept = {**run._config_to_save(), "training_args": arguments}
    return {
        "config": {k: v for k, v in kept.items() if k not in ("clx_version", "task_version")},
        "data": {
            "train": fingerprint(train_frame),
            "eval": None if eval_frame is None else fingerprint(eval_frame),
        },
    }


def tokenised_splits(
    run: TrainingRun, train_frame: pd.DataFrame, eval_frame: pd.DataFrame | None
) -> list[Split]:
    """Return validated frames as the model is fed them, with the base model's tokenizer."""
    folder = resolve_base_model(run.tokenizer_name or run.base_model_name, weights=False)
    run._components.use_tokenizer(load_tokenizer(run, folder))
    frames = {"train": train_frame} | ({} if eval_frame is None else {"eval": eval_frame})
    return [tokenised_split(run, name, frame) for name, frame in frames.items()]


def _fit(
    run: TrainingRun,
    base: Path,
    splits: Sequence[Split],
    arguments: dict[str, Any],
    target: RunDir,
    callbacks: Sequence[Any] | None,
    resume_from: Path | None,
) -> tuple[PreTrainedModel, Trainer]:
    # Before the model is loaded: its new head is random too.
    set_seed(arguments.get("seed", 42))
    model = load_model(run, base, run.tokenizer)
    if not {"dtype", "torch_dtype"} & set(run.model_args):
        model.float()
    has_metrics = type(run).compute_metrics is not TaskHooks.compute_metrics
    datasets = {split.name: split.dataset for split in splits}
    interrupt = StopOnInterrupt()
    # Old checkpoints go when the new one is marked: the Trainer would remove them before.
    kept = arguments.get("save_total_limit")
    arguments = {**arguments, "save_total_limit": None}
    trainer = make_trainer(
        run,
        model,
        arguments,
        target.checkpoints,
        datasets["train"],
        datasets.get("eval"),
        checked_metrics(run) if has_metrics else None,
        [
            *(callbacks or ()),
            *hook_calls.trainer_callbacks(run, target.checkpoints),
            interrupt,
            checkpoints.SaveNowAndThen(),
            checkpoints.MarkComplete(kept, interrupt),
            checkpoints.BestInThisPlace(resume_from),
        ],
    )
    with quiet_transformers(), author_code(run, "train"), interrupt.listening():
        if resume_from is not None and checkpoints.is_finished(resume_from):
            checkpoints.restore(trainer, resume_from)
        else:
            trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
    refuse_not_finite(trainer)
    return trainer.accelerator.unwrap_model(trainer.model).eval(), trainer


def _train_loss(trainer: Trainer) -> float:
    losses = [line["train_loss"] for line in trainer.state.log_history if "train_loss" in line]
    return float(losses[-1]) if losses else float("nan")


def _evaluation(
    run: TrainingRun, model: PreTrainedModel, splits: Sequence[Split]
) -> EvaluationResult | None:
    """Evaluate on the eval rows, after the task has fitted its decisions to them."""
    for split in splits:
        if split.name != "eval":
            continue
        predicted = predict_split(run, model, split)
        with author_code(run, "fit_decisions"):
            run.fit_decisions(predicted.prediction)
        return evaluate_predictions(run, split.frame, predicted)
    return None


def _tidy(target: RunDir) -> None:
    """After a failure keep checkpoints that can be resumed, and no empty folders."""
    if not checkpoints.sweep_incomplete(target.checkpoints):
        shutil.rmtree(target.checkpoints, ignore_errors=True)
        with contextlib.suppress(OSError):
            target.path.rmdir()
