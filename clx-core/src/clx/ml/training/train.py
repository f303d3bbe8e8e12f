"""A training, from data to a published run directory, in the order of its steps."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.ml.data.lengths import input_limit
from clx.ml.data.text_sketch import LEARNED_TEXTS, TextSketch
from clx.ml.data.texts import row_texts
from clx.ml.evaluation.evaluate import evaluate_predictions
from clx.ml.machine.disk import full_disk_named, training_bytes, warn_if_short
from clx.ml.machine.distributed import (
    by_main_process,
    is_main_process,
    main_process_first,
    on_main_process,
    process_count,
)
from clx.ml.machine.memory import memory_for_training
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.base_notes import warn_about_base
from clx.ml.model.base_runs import record_of, run_of_model
from clx.ml.model.lora.base import require_lasting_base
from clx.ml.plugins.calls import before_training, proposed_arguments
from clx.ml.results.outcome import EvaluationResult, TrainingResult
from clx.ml.run_directory.config import (
    BASE_RUN,
    Origin,
    config_to_write,
    raise_config_problems,
)
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.marks import IDENTITY
from clx.ml.run_directory.staging import recover, staged
from clx.ml.task.lora_options import require_peft, uses_lora
from clx.ml.task.options import option_names
from clx.ml.task.reporting import integrations_of, settled
from clx.ml.task.trainer_parts import callback_problems
from clx.ml.task.training_args import check_training_args
from clx.ml.training import checkpoints
from clx.ml.training.data import Data, check_or_warn
from clx.ml.training.decide import decided
from clx.ml.training.defaults import choose_arguments
from clx.ml.training.earlier import Earlier, Finished
from clx.ml.training.ending import tell_ending
from clx.ml.training.fit import KEPT, Fitted, fit
from clx.ml.training.following import Follower, NobodyFollows
from clx.ml.training.identity import identifying
from clx.ml.training.job import Call, Job
from clx.ml.training.learned import learned_texts
from clx.ml.training.processes import PROCESSES, join_all, require_same, require_shared
from clx.ml.training.publish import write_run
from clx.ml.training.published_check import Reopen, check_opens, refused
from clx.ml.training.setting import setting_of
from clx.ml.training.time_budget import Budget, seconds_of
from clx.ml.training.training_data import TrainingData, refuse_budget, training_data
from clx.problems import raise_problems

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Request:
    """The arguments of ``TrainingRun.train``, which describes them.

    Attributes:
        earlier: the trained run to continue, None to start from the base model.
        follower: who logs the training.
        notes: additional entries of ``results.json``.
    """

    data: Data
    overwrite: bool = False
    resume: bool = False
    callbacks: Any = ()
    fine_tune: bool = True
    time_budget: Any = None
    earlier: Earlier | None = None
    follower: Follower = field(default_factory=NobodyFollows)
    notes: Mapping[str, Any] = field(default_factory=dict)


def train_run(
    task: Task, place: RunDir, request: Request, origin: Origin, reopen: Reopen
) -> tuple[TrainingResult, dict[str, Any]]:
    """Train a task and publish it; see ``TrainingRun.train``.

    Args:
        task: the task, with the options of this training. The data and the training may set more.
        place: the directory to publish the run in.
        request: the arguments of the call.
        origin: the content of the config other than the options.
        reopen: opens the written run, to check it before it is published.

    Returns:
        The result, and the published config.
    """
    started = time.monotonic()
    callbacks = _checked_callbacks(request.callbacks)
    seconds = seconds_of(request.time_budget)
    budget = None if seconds is None else Budget(seconds, started)
    data = training_data(task, request.data)
    frames, made = data.frames, data.split
    refuse_budget(data, seconds)
    # A saved run was opened without this check: another transformers may have written its config.
    given, problems = check_training_args(task.training_args, task.device, task)
    if request.fine_tune:
        require_peft(task)
    raise_config_problems(problems, f"The training of {task.run_name!r}")
    join_all(task, given, place.path)
    with on_main_process(only_writer(place)):
        by_main_process(lambda: _settle(place, request))
        before_training(task, frames["train"], frames.get("eval"))
        proposed = proposed_arguments(task, given, data.rows, "eval" in frames)
        base = _base(task, place, request)
        if request.fine_tune:
            require_lasting_base(task, base)
        origin = replace(origin, extra={**origin.extra, **_ancestors(request, base)})
        tokenizer = task.tokenizer
        warn_about_base(task, base, tokenizer)
        splits = data.tokenized(task, tokenizer)
        complete = choose_arguments(proposed, setting_of(task, base, splits, proposed))
        identity = _identity(task, origin, data, complete)
        if made is not None:
            identity["split"] = made.to_dict()
        require_same(identity)
        all_weights = not uses_lora(task)
        needed = training_bytes(base, complete, all_weights)
        warn_if_short(place.path.parent, needed)
        with full_disk_named(place.path.parent, needed), memory_for_training(complete, all_weights):
            # The other processes find what the main process found or began, and resume it.
            resume_from = main_process_first(partial(_enter, place, identity, request))
            with _tidied(place):
                limit = input_limit(task, tokenizer)
                check = check_or_warn(task, splits, limit, made)
                work_dir, start, follower = place.checkpoints, request.earlier, request.follower
                reporters = settled(task.report_to, proposed.get("report_to"))
                callbacks += follower.begin(reporters, work_dir, resume_from)
                others = integrations_of(reporters)
                call = Call(request.fine_tune, budget, callbacks, reporters=others)
                job = Job(
                    task, base, tokenizer, splits, complete, work_dir, resume_from, call, start
                )
                fitted = fit(job)
                _tell_ending(fitted)
                fitted.notes |= {**request.notes, **data.notes(complete, fitted.steps)}
                learned = learned_texts(job)
                evaluation = _evaluation(job, fitted, place.path, learned)
                result = TrainingResult(
                    run_dir=place.path,
                    metrics={} if evaluation is None else evaluation.metrics,
                    evaluation=evaluation,
                    train_loss=fitted.train_loss,
                    steps=fitted.steps,
                    epochs=fitted.epochs,
                    seconds=time.monotonic() - started,
                    rows={split.name: split.rows or len(split.frame) for split in splits},
                    truncated={split.name: split.truncated for split in splits},
                    data_check=check,
                    kept=fitted.kept,
                    stopped=fitted.stopped,
                    split=made,
                    tracking=dict(follower.places),
                )
                if start is not None:
                    result = start.complete(result, _finished(job, fitted))
                follower.evaluated(result)
                extra = {**origin.extra, **_recorded(task, fitted)}
                config = config_to_write(task, replace(origin, extra=extra))

                def publish() -> None:
                    with staged(place, partial(_check, place, job, fitted.model, reopen)) as new:
                        known = {"data": identity["data"], LEARNED_TEXTS: learned.to_json()}
                        write_run(new, job, fitted, result, config, known)

                by_main_process(publish)
    return result, config


def _settle(place: RunDir, request: Request) -> None:
    """Finish or remove what an interrupted publication left, and refuse to replace a run unasked."""
    recover(place)
    refuse_existing(place, request.overwrite, request.resume)


def _enter(place: RunDir, identity: dict[str, Any], request: Request) -> Path | None:
    """Begin the training, or return the checkpoint to resume from."""
    folder = place.checkpoints
    require_shared(folder, IDENTITY)
    return checkpoints.enter(folder, identity, request.resume or not is_main_process())


def _base(task: Task, place: RunDir, request: Request) -> Path:
    """Return the folder of the model that the training starts from."""
    if request.earlier is not None:
        return request.earlier.directory.model
    return resolve_base_model(
        task.base_model_name, near=place.path.parent, trusted=task.trust_remote_code
    )


def _ancestors(request: Request, base: Path) -> Mapping[str, Any]:
    """Return the config entries about the run that the training starts from, if it does."""
    if request.earlier is not None:
        return request.earlier.recorded
    run = run_of_model(base)
    return {} if run is None else {BASE_RUN: record_of(run)}


def _check(place: RunDir, job: Job, model: PreTrainedModel, reopen: Reopen, new: RunDir) -> None:
    with refused(new, place, job):
        check_opens(new, job, model, reopen)


def _finished(job: Job, fitted: Fitted) -> Finished:
    frame = None if job.evaluated is None else job.evaluated.frame
    return Finished(job.task, job.tokenizer, fitted.model, frame)


def _tell_ending(fitted: Fitted) -> None:
    if fitted.trainer is not None:
        found = {"kept_model": fitted.kept, KEPT: fitted.notes.get(KEPT), "stopped": fitted.stopped}
        tell_ending(fitted.trainer, {**found, "steps": fitted.steps, "epochs": fitted.epochs})


def _checked_callbacks(callbacks: Any) -> list[Any]:
    """Return the user's callbacks, as objects.

    Raises:
        ConfigError: an item is not a callback, or a class cannot be called without arguments.
    """
    callbacks = list(callbacks) if isinstance(callbacks, Iterator) else callbacks
    problems, made = callback_problems(callbacks), []
    for each in () if problems else callbacks:
        try:
            made.append(each() if isinstance(each, type) else each)
        except TypeError as error:
            problems.append(f"{each.__name__} needs arguments: pass an object ({error})")
    raise_problems(ConfigError, "train() got callbacks that cannot be used:", problems)
    return made


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


def _recorded(task: Task, fitted: Fitted) -> dict[str, Any]:
    """Return the learned config entries that are not options of the task."""
    options = option_names(task)
    return {key: value for key, value in fitted.learned.items() if key not in options}


def _identity(
    task: Task, origin: Origin, data: TrainingData, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Return everything that must be equal to resume an unfinished training."""
    config = {**config_to_write(task, origin), "training_args": arguments}
    return {
        "config": identifying(config),
        "data": data.fingerprints(),
        **({PROCESSES: process_count()} if process_count() > 1 else {}),
    }


def _evaluation(
    job: Job, fitted: Fitted, run_dir: Path, learned: TextSketch
) -> EvaluationResult | None:
    """Predict the eval rows, calibrate the probabilities, fit the decisions, and evaluate."""
    task, split = job.task, job.evaluated
    if split is None:
        return None
    predicted = decided(job, fitted, split)
    result = evaluate_predictions(task, split.frame, predicted, run_dir, split.on_disk)
    texts = row_texts(split.frame, task.text_columns)
    # How many of many rows on disk were learned is unknown: the frame is a sample.
    if texts is None or split.on_disk is not None:
        return result
    return replace(result, learned_rows=learned.count(texts))
