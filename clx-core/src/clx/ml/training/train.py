"""A training, from data to a published run directory, in the order of its steps."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clx.ml.data.lengths import input_limit
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.evaluation.evaluate import evaluate_predictions, predict_split
from clx.ml.machine.devices import trains_on_cpu
from clx.ml.machine.disk import full_disk_named, training_bytes, warn_if_short
from clx.ml.machine.distributed import (
    is_main_process,
    join,
    main_process_first,
    on_main_process,
    wait,
)
from clx.ml.machine.memory import memory_for_training
from clx.ml.model.base_models import read_model_config, resolve_base_model
from clx.ml.plugins.calls import before_training, proposed_arguments
from clx.ml.results.outcome import EvaluationResult, TrainingResult
from clx.ml.run_directory.config import (
    Origin,
    config_to_write,
    raise_config_problems,
)
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.staging import recover, staged
from clx.ml.task.author_code import author_code
from clx.ml.task.options import option_names
from clx.ml.task.training_args import check_training_args
from clx.ml.training import checkpoints
from clx.ml.training.calibrate import calibrated
from clx.ml.training.data import (
    check_or_warn,
    fingerprints,
    tokenized_splits,
    validated_frames,
)
from clx.ml.training.defaults import Setting, choose_arguments
from clx.ml.training.fit import Fitted, fit
from clx.ml.training.job import Call, Job
from clx.ml.training.publish import write_run
from clx.ml.training.published_check import Reopen, check_opens, refused
from clx.ml.training.time_budget import Budget, seconds_of

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel

    from clx.ml.data.splits import Split
    from clx.ml.task.task import Task

IMBALANCED = 3
"""Labels are imbalanced if the largest row count is more than this many times the smallest."""


@dataclass(frozen=True)
class Request:
    """The arguments of ``TrainingRun.train``, which describes them."""

    train_data: Any
    eval_data: Any = None
    overwrite: bool = False
    resume: bool = False
    callbacks: Sequence[Any] = ()
    fine_tune: bool = True
    time_budget: Any = None
    reading: Reading = DEFAULT_READING


def train_run(
    task: Task, place: RunDir, request: Request, origin: Origin, reopen: Reopen
) -> tuple[TrainingResult, dict[str, Any]]:
    """Train a task and publish it; see ``TrainingRun.train``.

    Args:
        task: the task, with the options of this training. The data and the training may set more.
        place: the directory to publish the run in.
        request: the arguments of the call.
        origin: the content of the config besides the options.
        reopen: opens the written run, to check it before it is published.

    Returns:
        The result, and the published config.
    """
    started = time.monotonic()
    seconds = seconds_of(request.time_budget)
    budget = None if seconds is None else Budget(seconds, started)
    frames = validated_frames(task, request.train_data, request.eval_data, request.reading)
    # A saved run was opened without this check: another transformers may have written its config.
    given, problems = check_training_args(task.training_args, task.device)
    raise_config_problems(problems, f"The training of {task.run_name!r}")
    join(on_cpu=trains_on_cpu(task.device, given))
    with on_main_process(only_writer(place)):
        if is_main_process():
            recover(place)
            refuse_existing(place, request.overwrite, request.resume)
        before_training(task, frames["train"], frames.get("eval"))
        proposed = proposed_arguments(task, given, len(frames["train"]), "eval" in frames)
        base = resolve_base_model(task.base_model_name)
        tokenizer = task.tokenizer
        splits = tokenized_splits(task, tokenizer, frames)
        complete = choose_arguments(proposed, _setting(task, base, splits, proposed))
        identity = _identity(task, origin, frames, complete)
        needed = training_bytes(base, complete)
        warn_if_short(place.path.parent, needed)
        with full_disk_named(place.path.parent, needed), memory_for_training(complete):
            # The other processes find what the main process found or began, and resume it.
            resume_from = main_process_first(
                lambda: checkpoints.enter(
                    place.checkpoints, identity, request.resume or not is_main_process()
                )
            )
            with _tidied(place):
                check = check_or_warn(task, splits, input_limit(task, tokenizer))
                call = Call(request.fine_tune, budget, request.callbacks)
                work_dir = place.checkpoints
                job = Job(task, base, tokenizer, splits, complete, work_dir, resume_from, call)
                fitted = fit(job)
                evaluation = _evaluation(job, fitted, place.path)
                result = TrainingResult(
                    run_dir=place.path,
                    metrics={} if evaluation is None else evaluation.metrics,
                    evaluation=evaluation,
                    train_loss=fitted.train_loss,
                    steps=fitted.steps,
                    epochs=fitted.epochs,
                    seconds=time.monotonic() - started,
                    rows={split.name: len(split.frame) for split in splits},
                    truncated={split.name: split.truncated for split in splits},
                    data_check=check,
                    kept=fitted.kept,
                    stopped=fitted.stopped,
                )
                extra = {**origin.extra, **_recorded(task, fitted)}
                config = config_to_write(task, replace(origin, extra=extra))
                if is_main_process():
                    with staged(place, partial(_check, place, job, fitted.model, reopen)) as new:
                        write_run(new, job, fitted, result, config, identity["data"])
                wait()
    return result, config


def _check(place: RunDir, job: Job, model: PreTrainedModel, reopen: Reopen, new: RunDir) -> None:
    with refused(new, place, job):
        check_opens(new, job, model, reopen)


@contextlib.contextmanager
def _tidied(place: RunDir) -> Iterator[None]:
    """After a failure, keep the checkpoints that can be resumed, and remove empty folders."""
    try:
        yield
    except BaseException:
        if is_main_process() and not checkpoints.sweep_incomplete(place.checkpoints):
            shutil.rmtree(place.checkpoints, ignore_errors=True)
            with contextlib.suppress(OSError):
                place.path.rmdir()
        raise


def _setting(task: Task, base: Path, splits: Sequence[Split], arguments: dict[str, Any]) -> Setting:
    """Return the facts that the defaults of this training depend on."""
    train = splits[0]
    return Setting(
        # If texts are read in windows, there are more rows than texts.
        rows=len(train.dataset),
        has_eval=len(splits) > 1,
        hidden_size=_hidden_size(base),
        cuda=torch.cuda.is_available() and not trains_on_cpu(task.device, arguments),
        probe=task.head_init == "probe",
        several=_has_several_labels(train),
        metric=task.imbalanced_metric if _is_imbalanced(task, train.frame) else None,
    )


def _hidden_size(folder: Path) -> int | None:
    config = read_model_config(folder)
    size = config.get("hidden_size") or config.get("dim") or config.get("d_model")
    return size if isinstance(size, int) else None


def _has_several_labels(split: Split) -> bool:
    """Return whether rows have a number from 0 to 1 per label; token labels are whole numbers."""
    first = split.dataset[0].get("labels")
    return isinstance(first, list) and len(first) > 0 and isinstance(first[0], float)


def _is_imbalanced(task: Task, frame: pd.DataFrame) -> bool:
    """Return whether the most common label has several times the rows of the rarest."""
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    if not labels or not all(isinstance(label, Hashable) for label in labels):
        return False
    counts = Counter(labels)
    return max(counts.values()) > IMBALANCED * min(counts.values())


def _recorded(task: Task, fitted: Fitted) -> dict[str, Any]:
    """Return the learned config entries that are not options of the task."""
    options = option_names(task)
    return {key: value for key, value in fitted.learned.items() if key not in options}


def _identity(
    task: Task, origin: Origin, frames: dict[str, pd.DataFrame], arguments: dict[str, Any]
) -> dict[str, Any]:
    """Return everything that must be equal to resume an unfinished training."""
    config = {**config_to_write(task, origin), "training_args": arguments}
    versions = ("clx_version", "task_version")
    return {
        "config": {key: value for key, value in config.items() if key not in versions},
        "data": fingerprints(frames),
    }


def _evaluation(job: Job, fitted: Fitted, run_dir: Path) -> EvaluationResult | None:
    """Predict the eval rows, calibrate the probabilities, fit the decisions, and evaluate."""
    task, split = job.task, job.evaluated
    if split is None:
        return None
    predicted = predict_split(task, job.tokenizer, fitted.model, split)
    predicted = calibrated(task, fitted, predicted)
    with author_code(task, "fit_decisions"):
        task.fit_decisions(predicted.prediction)
    return evaluate_predictions(task, split.frame, predicted, run_dir)
