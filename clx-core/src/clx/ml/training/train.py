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
    from clx.ml.run.run import TrainingRun


IMBALANCED = 3
"""Labels count as imbalanced when the commonest has so many times the rows of the rarest."""


def train_run(
    run: TrainingRun,
    train_data: Any,
    eval_data: Any,
    overwrite: bool,
    resume: bool,
    callbacks: Sequence[Any] | None,
    fine_tune: bool = True,
    time_budget: Any = None,
) -> TrainingResult:
    """Train ``run`` and publish it in its directory; see :meth:`TrainingRun.train`."""
    started = time.monotonic()
    seconds = seconds_of(time_budget)
    budget = None if seconds is None else Budget(seconds, started)
    target = RunDir(run.run_dir)
    train_frame, eval_frame = validated_frames(run, train_data, eval_data)
    arguments, problems = check_training_args(run.training_args, run.device)
    raise_config_problems(problems, f"The training of {run.run_name!r}")
    join(on_cpu=trains_on_cpu(run.device, arguments))
    with by_writer(only_writer(target)), ExitStack() as faults:
        run._resolve_metrics()
        if is_writer():
            recover(target)
            refuse_existing(target, overwrite, resume)
        hook_calls.before_training(run, train_frame, eval_frame)
        has_eval = eval_frame is not None
        arguments = hook_calls.proposed_arguments(run, arguments, len(train_frame), has_eval)
        base = resolve_base_model(run.base_model_name)
        splits = tokenised_splits(run, train_frame, eval_frame)
        arguments = choose_arguments(
            arguments,
            # Where texts are read in windows, there are more rows than texts.
            rows=len(splits[0].dataset),
            has_eval=eval_frame is not None,
            hidden_size=_hidden_size(base),
            cuda=torch.cuda.is_available() and not trains_on_cpu(run.device, arguments),
            probe=run.head_init == "probe",
            several=_has_several_labels(splits[0].dataset),
            metric=run.imbalanced_metric if _is_imbalanced(run, train_frame) else None,
        )
        needed = training_bytes(base, arguments)
        warn_if_short(target.path.parent, needed)
        identity = _identity(run, train_frame, eval_frame, arguments)
        faults.enter_context(full_disk_named(target.path.parent, needed))
        faults.enter_context(memory_for_training(arguments))
        # What the writing process finds or begins, the others find: they take up its identity.
        resume_from = writer_first(
            lambda: checkpoints.enter(target.checkpoints, identity, resume or not is_writer())
        )
        try:
            check = check_splits(run, splits)
            warn_or_stop(check, run.strict_data)
            warn_uncounted(run, splits)
            call = Call(fine_tune, budget, callbacks or ())
            fitted = fit(Job(run, base, splits, arguments, target.checkpoints, resume_from, call))
            evaluation = _evaluation(run, fitted, splits)
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
                _publish(run, target, fitted, splits, result, identity)
            wait()
        except BaseException:
            if is_writer():
                _tidy(target)
            raise
    return result


def _publish(
    run: TrainingRun,
    target: RunDir,
    fitted: Fitted,
    splits: Sequence[Split],
    result: TrainingResult,
    identity: dict[str, Any],
) -> None:
    with staged(target) as new:
        write_run(
            new,
            run,
            fitted,
            splits[0].dataset,
            result,
            {"data": identity["data"]},
            target.checkpoints,
        )


def check_run_data(run: TrainingRun, train_data: Any, eval_data: Any) -> DataCheck:
    """Return what is found in the data; see :meth:`TrainingRun.check`."""
    frames = validated_frames(run, train_data, eval_data)
    return check_splits(run, tokenised_splits(run, *frames))


def label_errors(run: TrainingRun, data: Any, folds: int, top: int | None) -> pd.DataFrame:
    """Return rows whose labels look wrong; see :meth:`TrainingRun.find_label_errors`."""
    # A text is judged as one, by its beginning: the caller restores the option.
    run.long_text, run.strict_length = "truncate", False
    frame, _ = validated_frames(run, data, None)
    (split,) = tokenised_splits(run, frame, None)
    warn_truncated(run, split.truncated, len(frame), "the data")
    return find_label_errors(run, split, folds, top)


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


def _has_several_labels(dataset: Dataset) -> bool:
    """Return whether rows have a number from 0 to 1 for each label; token labels are whole numbers."""
    first = dataset[0].get("labels")
    return isinstance(first, list) and len(first) > 0 and isinstance(first[0], float)


def _is_imbalanced(run: TrainingRun, frame: pd.DataFrame) -> bool:
    """Return whether the commonest label has several times the rows of the rarest."""
    with author_code(run, "row_labels"):
        labels = run.row_labels(frame)
    if not labels or not all(isinstance(label, Hashable) for label in labels):
        return False
    counts = Counter(labels)
    return max(counts.values()) > IMBALANCED * min(counts.values())


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


def warn_uncounted(run: TrainingRun, splits: Sequence[Split]) -> None:
    """Say what the check of the data cannot: that texts of unknown length, such as pairs, are cut."""
    for split in splits:
        if split.lengths is None:
            warn_truncated(run, split.truncated, len(split.frame), f"{split.name}_data")


def tokenised_splits(
    run: TrainingRun, train_frame: pd.DataFrame, eval_frame: pd.DataFrame | None
) -> list[Split]:
    """Return validated frames as the model is fed them, with the base model's tokenizer."""
    folder = resolve_base_model(run.tokenizer_name or run.base_model_name, weights=False)
    run._components.use_tokenizer(load_tokenizer(run, folder))
    frames = {"train": train_frame} | ({} if eval_frame is None else {"eval": eval_frame})
    return [tokenised_split(run, name, frame) for name, frame in frames.items()]


def _evaluation(
    run: TrainingRun, fitted: Fitted, splits: Sequence[Split]
) -> EvaluationResult | None:
    """Evaluate on the eval rows, after probabilities and decisions were fitted to them."""
    for split in splits:
        if split.name != "eval":
            continue
        predicted = predict_split(run, fitted.model, split)
        predicted = calibrated(run, fitted, predicted)
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
