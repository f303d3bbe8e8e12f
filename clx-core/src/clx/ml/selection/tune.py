"""Tuning, in the order of its steps: the data, the space, the trials, and the choice of the best."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError
from clx.ml.data.holdout.arguments import seed_of
from clx.ml.machine.distributed import process_count
from clx.ml.metrics import higher_is_better
from clx.ml.model.loading import base_folder
from clx.ml.model.lora.base import require_lasting_base
from clx.ml.plugins.calls import proposed_arguments
from clx.ml.results.tuning import Tuning
from clx.ml.results.tuning_pages import TUNING
from clx.ml.run_directory.config import Origin, config_to_write, raise_config_problems
from clx.ml.run_directory.files import fsync
from clx.ml.run_directory.finding import refuse_existing
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.marks import IDENTITY
from clx.ml.run_directory.staging import recover
from clx.ml.selection.tune_again import BEFORE, values_before
from clx.ml.selection.tune_clock import Clock
from clx.ml.selection.tune_defaults import default_space
from clx.ml.selection.tune_loop import best_or_raise, interrupt_explained, run_trials, tuning_of
from clx.ml.selection.tune_names import options_with
from clx.ml.selection.tune_space import Space, checked_space, space_to_json
from clx.ml.selection.tune_storage import (
    end_publishing,
    is_publishing,
    opened_storage,
    require_optuna,
)
from clx.ml.selection.tune_study import SECONDS, TuningStudy
from clx.ml.selection.tune_trial import Bench
from clx.ml.splits.fit_fold import Start
from clx.ml.splits.folds import Fold, FoldRequest, check_request, make_folds
from clx.ml.task.options import options_of_task
from clx.ml.task.training_args import check_training_args
from clx.ml.training.data import Data, fingerprints, tokenized_splits, validated_frames
from clx.ml.training.defaults import choose_arguments
from clx.ml.training.identity import identifying
from clx.ml.training.setting import setting_of
from clx.ml.training.time_budget import seconds_of
from clx.problems import cell

if TYPE_CHECKING:
    from clx.ml.task.task import Task


@dataclass(frozen=True)
class TuneRequest:
    """The arguments of ``TrainingRun.tune``, which describes them.

    Attributes:
        given: the names of the options that the user set when the run was made.
        started: ``time.monotonic()`` at the call.
    """

    data: Data
    trials: int = 20
    time_budget: Any = "30m"
    space: Any = None
    folds: int = 3
    given: frozenset[str] = frozenset()
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Found:
    """What a search found, and how to publish it.

    Attributes:
        tuning: the trials.
        options: the options of the best trial that differ from those of the run.
        data: the data of the training to publish.
        time_budget: its time budget in seconds, None if it needs no limit.
    """

    tuning: Tuning
    options: dict[str, Any]
    data: Data
    time_budget: float | None

    def notes(self, untuned: Mapping[str, Any]) -> dict[str, Any]:
        """Return the entries of the results about the tuning.

        Args:
            untuned: the options that the trials began with.
        """
        return {TUNING: {**self.tuning.to_dict(), BEFORE: values_before(untuned, self.options)}}


def check_tuning(task: Task, place: RunDir, request: TuneRequest, overwrite: bool) -> bool:
    """Refuse a tuning that cannot be done, before anything is loaded.

    Returns:
        Whether there is an unfinished training that an earlier tuning began in order to publish.

    Raises:
        MissingDependencyError: Optuna is not installed.
        RunExistsError: there is a trained run, or the unfinished training of another call.
        ConfigError: an argument has a wrong value.
    """
    require_optuna()
    begun = (place.checkpoints / IDENTITY).is_file() and is_publishing(place.study)
    refuse_existing(place, overwrite, begun)
    if (
        isinstance(request.trials, bool)
        or not isinstance(request.trials, int)
        or request.trials < 1
    ):
        raise ConfigError(
            f"trials must be a whole number of at least 1, but is {cell(request.trials)}"
        )
    seconds_of(request.time_budget)
    check_request(_fold_request(request))
    checked_space(task, request.space)
    if process_count() > 1:
        raise ConfigError("tune runs in one process: start it without torchrun")
    return begun


def _fold_request(request: TuneRequest) -> FoldRequest:
    data = request.data
    return FoldRequest(data, request.folds, True, data.group_column, data.time_column)


def search(task: Task, place: RunDir, request: TuneRequest) -> Found:
    """Run the trials that are missing, and return the best one; see ``TrainingRun.tune``.

    Args:
        task: the task, whose options the data and the trials change.
        place: the directory of the run to publish. The study is beside it.
        request: the arguments of the call.
    """
    data = request.data
    if data.eval_data is None:
        # Then the columns are for the folds, and the published run is trained on all rows.
        data = replace(data, group_column=None, time_column=None)
    with only_writer(place):
        recover(place)
        frames, _ = validated_frames(task, data)
        bench, space, first = _prepared(task, place, request, frames)
        clock = Clock(seconds_of(request.time_budget), request.started, bench.share)
        with opened_storage(place.study) as storage, interrupt_explained(place):
            study = TuningStudy(storage, _identity(task, request, bench, space), seed(task))
            if first is not None:
                study.begin_with(first)
            stopped = run_trials(study, bench, space, clock, request.trials)
            best = best_or_raise(study, stopped)
            study.set_publishing(None if best is None else best.number)
            tuning = tuning_of(task, study, best, bench, stopped)
        if place.study.is_file():
            fsync(place.study)
    bench.reset()
    options = options_with(task, bench.options, tuning.best)
    seconds = None if best is None else float(best.user_attrs[SECONDS])
    return Found(tuning, options, data, clock.for_publishing(seconds))


def seed(task: Task) -> int:
    """Return the seed of the random numbers of a tuning."""
    return seed_of(task.training_args)


def published(place: RunDir) -> None:
    """Record that the best trial was published."""
    end_publishing(place.study)


def _prepared(
    task: Task, place: RunDir, request: TuneRequest, frames: dict[str, Any]
) -> tuple[Bench, Space, dict[str, Any] | None]:
    """Return what all trials share, the space, and the values of the first trial if they are fixed."""
    given, problems = check_training_args(task.training_args, task.device, task)
    raise_config_problems(problems, f"The tuning of {task.run_name!r}")
    base = base_folder(task)
    require_lasting_base(task, base)
    tokenizer = task.tokenizer
    splits = tokenized_splits(task, tokenizer, frames)
    proposed = proposed_arguments(task, given, len(frames["train"]), "eval" in frames)
    setting = setting_of(task, base, splits, proposed)
    complete = choose_arguments(proposed, setting)
    metric = proposed.get("metric_for_best_model") or setting.metric
    objective = None if metric is None else metric.removeprefix("eval_")
    greater = proposed.get("greater_is_better")
    if greater is None and objective is not None:
        greater = objective != "loss" and higher_is_better(objective) is not False
    folds = [] if "eval" in frames else _folds(task, frames["train"], request)
    bench = Bench(
        Start(task, base, tokenizer, given),
        options_of_task(task),
        frames,
        folds,
        place.trial,
        objective,
        greater,
    )
    space = checked_space(task, request.space)
    if space is not None:
        return bench, space, None
    defaults = default_space(task, splits[0], tokenizer, complete, request.given)
    return bench, defaults.space, defaults.values


def _folds(task: Task, frame: Any, request: TuneRequest) -> list[Fold]:
    """Return folds whose training rows are all fitted, as in the training that is published."""
    none = np.zeros(0, dtype=np.int64)
    return [
        Fold(np.sort(np.concatenate([fold.train, fold.eval])), none, fold.held_out)
        for fold in make_folds(task, frame, _fold_request(request))
    ]


def _identity(task: Task, request: TuneRequest, bench: Bench, space: Space) -> dict[str, Any]:
    """Return what must be equal for trials to belong to one study, by its name in messages."""
    left_out = ("run_name", "learned")
    config = identifying(config_to_write(task, Origin()))
    columns = (request.data.group_column, request.data.time_column)
    return {
        "data": {
            **fingerprints(bench.frames),
            "folds": [len(bench.folds), *columns] if bench.folds else None,
        },
        "space": space_to_json(space),
        "options": {
            **{key: value for key, value in config.items() if key not in left_out},
            "objective": bench.objective,
        },
    }
