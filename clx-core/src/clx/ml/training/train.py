"""A training from data to a published run directory, in the order in which it happens."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.data.check.check import check_splits, warn_or_stop
from clx.ml.data.frames import fingerprint, to_frame
from clx.ml.data.lengths import warn_truncated
from clx.ml.data.splits import Split, tokenised_split
from clx.ml.evaluation.evaluate import evaluate_predictions, predict_split
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.machine.disk import full_disk_named, training_bytes, warn_if_short
from clx.ml.machine.distributed import by_writer, is_writer, join, wait, writer_first
from clx.ml.machine.memory import memory_for_training
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.head.label_errors import find_label_errors
from clx.ml.model.loading import load_tokenizer
from clx.ml.plugins import calls as hook_calls
from clx.ml.results.outcome import EvaluationResult, TrainingResult
from clx.ml.run_directory.config import raise_config_problems
from clx.ml.run_directory.existing import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.staging import recover, staged
from clx.ml.task.author_code import author_code
from clx.ml.task.training_args import check_training_args, choose_arguments
from clx.ml.training import checkpoints
from clx.ml.training.fit import Call, Fitted, Job, calibrated, fit
from clx.ml.training.publish import write_run
from clx.ml.training.time_budget import Budget, seconds_of

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

    from clx.ml.results.data_check import DataCheck
    from clx.ml.task.task import Task


IMBALANCED = 3
"""Labels count as imbalanced when the commonest has so many times the rows of the rarest."""


def train_run(
    task: Task,
    train_data: Any,
    eval_data: Any,
    overwrite: bool,
    resume: bool,
    callbacks: Sequence[Any] | None,
    fine_tune: bool = True,
    time_budget: Any = None,
) -> TrainingResult:
    """Train ``task`` and publish it in its directory; see :meth:`TrainingRun.train`."""
    started = time.monotonic()
    seconds = seconds_of(time_budget)
    budget = None if seconds is None else Budget(seconds, started)
    target = RunDir(task.run_dir)
    train_frame, eval_frame = validated_frames(task, train_data, eval_data)
    arguments, problems = check_training_args(task.training_args, task.device)
    raise_config_problems(problems, f"The training of {task.run_name!r}")
    join(on_cpu=trains_on_cpu(task.device, arguments))
    with by_writer(only_writer(target)), ExitStack() as faults:
        task._resolve_metrics()
        if is_writer():
            recover(target)
            refuse_existing(target, overwrite, resume)
        hook_calls.before_training(task, train_frame, eval_frame)
        has_eval = eval_frame is not None
        arguments = hook_calls.proposed_arguments(task, arguments, len(train_frame), has_eval)
        base = resolve_base_model(task.base_model_name)
        splits = tokenised_splits(task, train_frame, eval_frame)
        arguments = choose_arguments(
            arguments,
            # Where texts are read in windows, there are more rows than texts.
            rows=len(splits[0].dataset),
            has_eval=eval_frame is not None,
            hidden_size=_hidden_size(base),
            cuda=torch.cuda.is_available() and not trains_on_cpu(task.device, arguments),
            probe=task.head_init == "probe",
            several=_has_several_labels(splits[0].dataset),
            metric=task.imbalanced_metric if _is_imbalanced(task, train_frame) else None,
        )
        needed = training_bytes(base, arguments)
        warn_if_short(target.path.parent, needed)
        identity = _identity(task, train_frame, eval_frame, arguments)
        faults.enter_context(full_disk_named(target.path.parent, needed))
        faults.enter_context(memory_for_training(arguments))
        # What the writing process finds or begins, the others find: they take up its identity.
        resume_from = writer_first(
            lambda: checkpoints.enter(target.checkpoints, identity, resume or not is_writer())
        )
        try:
            check = check_splits(task, splits)
            warn_or_stop(check, task.strict_data)
            warn_uncounted(task, splits)
            call = Call(fine_tune, budget, callbacks or ())
            fitted = fit(Job(task, base, splits, arguments, target.checkpoints, resume_from, call))
            evaluation = _evaluation(task, fitted, splits)
            result = TrainingResult(
                run_dir=target.path,
                metrics={} if evaluation is None else evaluation.metrics,
                evaluation=evaluation,
                train_loss=fitted.train_loss,
                steps=fitted.steps,
                epochs=fitted.epochs,
                seconds=time.monotonic() - started,
                rows={split.name: len(split.frame) for split in splits},
                truncated={split.name: split.truncated for split in splits},
                data_check=check,
            )
            if is_writer():
                _publish(task, target, fitted, splits, result, identity)
            wait()
        except BaseException:
            if is_writer():
                _tidy(target)
            raise
    return result


def _publish(
    task: Task,
    target: RunDir,
    fitted: Fitted,
    splits: Sequence[Split],
    result: TrainingResult,
    identity: dict[str, Any],
) -> None:
    with staged(target) as new:
        write_run(
            new,
            task,
            fitted,
            splits[0].dataset,
            result,
            {"data": identity["data"]},
            target.checkpoints,
        )


def check_run_data(task: Task, train_data: Any, eval_data: Any) -> DataCheck:
    """Return what is found in the data; see :meth:`TrainingRun.check`."""
    frames = validated_frames(task, train_data, eval_data)
    return check_splits(task, tokenised_splits(task, *frames))


def label_errors(task: Task, data: Any, folds: int, top: int | None) -> pd.DataFrame:
    """Return rows whose labels look wrong; see :meth:`TrainingRun.find_label_errors`."""
    # A text is judged as one, by its beginning: the caller restores the option.
    task.long_text, task.strict_length = "truncate", False
    frame, _ = validated_frames(task, data, None)
    (split,) = tokenised_splits(task, frame, None)
    warn_truncated(task, split.truncated, len(frame), "the data")
    return find_label_errors(task, split, folds, top)


def validated_frames(
    task: Task, train_data: Any, eval_data: Any
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return validated frames; what the config takes from the data is in between."""
    train_frame = to_frame(train_data, "train_data")
    task._validate_frame(train_frame, "train_data")
    with author_code(task, "infer_config"):
        task.infer_config(train_frame)
    if eval_data is None:
        return train_frame, None
    eval_frame = to_frame(eval_data, "eval_data")
    task._validate_frame(eval_frame, "eval_data")
    return train_frame, eval_frame


def _hidden_size(folder: Path) -> int | None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    size = config.get("hidden_size") or config.get("dim") or config.get("d_model")
    return size if isinstance(size, int) else None


def _has_several_labels(dataset: Dataset) -> bool:
    """Return whether rows have a number from 0 to 1 for each label; token labels are whole numbers."""
    first = dataset[0].get("labels")
    return isinstance(first, list) and len(first) > 0 and isinstance(first[0], float)


def _is_imbalanced(task: Task, frame: pd.DataFrame) -> bool:
    """Return whether the commonest label has several times the rows of the rarest."""
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    if not labels or not all(isinstance(label, Hashable) for label in labels):
        return False
    counts = Counter(labels)
    return max(counts.values()) > IMBALANCED * min(counts.values())


def _identity(
    task: Task,
    train_frame: pd.DataFrame,
    eval_frame: pd.DataFrame | None,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Return what has to be the same for an unfinished training to be resumed."""
    kept = {**task._config_to_save(), "training_args": arguments}
    return {
        "config": {k: v for k, v in kept.items() if k not in ("clx_version", "task_version")},
        "data": {
            "train": fingerprint(train_frame),
            "eval": None if eval_frame is None else fingerprint(eval_frame),
        },
    }


def warn_uncounted(task: Task, splits: Sequence[Split]) -> None:
    """Say what the check of the data cannot: that texts of unknown length, such as pairs, are cut."""
    for split in splits:
        if split.lengths is None:
            warn_truncated(task, split.truncated, len(split.frame), f"{split.name}_data")


def tokenised_splits(
    task: Task, train_frame: pd.DataFrame, eval_frame: pd.DataFrame | None
) -> list[Split]:
    """Return validated frames as the model is fed them, with the base model's tokenizer."""
    folder = resolve_base_model(task.tokenizer_name or task.base_model_name, weights=False)
    task._components.use_tokenizer(load_tokenizer(task, folder))
    frames = {"train": train_frame} | ({} if eval_frame is None else {"eval": eval_frame})
    return [tokenised_split(task, name, frame) for name, frame in frames.items()]


def _evaluation(task: Task, fitted: Fitted, splits: Sequence[Split]) -> EvaluationResult | None:
    """Evaluate on the eval rows, after probabilities and decisions were fitted to them."""
    for split in splits:
        if split.name != "eval":
            continue
        predicted = predict_split(task, fitted.model, split)
        predicted = calibrated(task, fitted, predicted)
        with author_code(task, "fit_decisions"):
            task.fit_decisions(predicted.prediction)
        return evaluate_predictions(task, split.frame, predicted)
    return None


def _tidy(target: RunDir) -> None:
    """After a failure keep checkpoints that can be resumed, and no empty folders."""
    if not checkpoints.sweep_incomplete(target.checkpoints):
        shutil.rmtree(target.checkpoints, ignore_errors=True)
        with contextlib.suppress(OSError):
            target.path.rmdir()
