"""The trials of a tuning: run those that are missing, and choose the best."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clx.errors import OutOfMemoryError, TrainingError
from clx.ml.machine.progress import progress_bar
from clx.ml.results.ending import TIME_BUDGET
from clx.ml.results.tuning import Tuning
from clx.ml.results.tuning_pages import FAILED, FINISHED, OUT_OF_TIME
from clx.ml.run_directory.layout import RunDir
from clx.ml.selection.tune_clock import Clock
from clx.ml.selection.tune_names import is_argument
from clx.ml.selection.tune_space import Space, suggested
from clx.ml.selection.tune_study import KEPT, REASON, SECONDS, VALUES, TuningStudy, state_of
from clx.ml.selection.tune_trial import Bench, run_trial
from clx.ml.selection.tune_watch import TrialStopped, Watch
from clx.problems import report

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from clx.ml.task.task import Task


def run_trials(
    study: TuningStudy, bench: Bench, space: Space, clock: Clock, trials: int
) -> str | None:
    """Run trials until there are as many as asked for.

    Returns:
        ``"time_budget"`` if the time was up before, else None.
    """
    with _progress(bench, len(study.trials()), trials) as bar:
        while len(study.trials()) < trials:
            best = study.best()
            best_seconds = None if best is None else best.user_attrs[SECONDS]
            if not clock.has_time(_durations(study), best_seconds):
                return TIME_BUDGET
            allowed = clock.for_a_trial(best_seconds)
            until = None if allowed is None else time.monotonic() + allowed
            if _run_one(study, bench, space, until) == OUT_OF_TIME:
                return TIME_BUDGET
            gc.collect()
            best = study.best()
            if best is not None:
                bar.set_postfix({f"best {study.objective}": f"{best.value:.4g}"}, refresh=False)
            bar.update()
    return None


def _run_one(study: TuningStudy, bench: Bench, space: Space, until: float | None) -> str:
    """Run one trial, and return its state."""
    bench.reset()
    trial = study.ask()
    values = suggested(bench.start.task, space, trial)
    watch = Watch(trial, study.objective, until)
    try:
        measured, objective, greater = run_trial(bench, values, watch)
    except TrialStopped as stop:
        study.stopped(trial, values, stop.state, str(stop))
        return stop.state
    except (TrainingError, OutOfMemoryError) as error:
        study.stopped(trial, values, FAILED, str(error))
        return FAILED
    study.finished(trial, measured, objective, greater)
    return FINISHED


def _durations(study: TuningStudy) -> list[float]:
    return [
        float(trial.user_attrs[SECONDS]) for trial in study.trials() if SECONDS in trial.user_attrs
    ]


@contextlib.contextmanager
def _progress(bench: Bench, done: int, trials: int) -> Iterator[Any]:
    hidden = bool(bench.start.arguments.get("disable_tqdm"))
    with progress_bar(
        total=trials, initial=done, desc="tune", unit="trials", disable=hidden
    ) as bar:
        yield bar


@contextlib.contextmanager
def interrupt_explained(place: RunDir) -> Iterator[None]:
    """Say in a KeyboardInterrupt what was kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"The tuning was interrupted, and nothing was published. The finished trials are kept in "
            f"{place.study}: repeat the tune(...) call to go on"
        ) from error


def best_or_raise(study: TuningStudy, stopped: str | None) -> FrozenTrial | None:
    """Return the best trial, None if the time was up before any trial finished.

    Raises:
        TrainingError: all trials failed.
    """
    best = study.best()
    if best is None and stopped is None:
        reasons = [
            f"trial {trial.number}: {trial.user_attrs[REASON]['reason'].splitlines()[0]}"
            for trial in study.trials()
        ]
        raise TrainingError(
            report("No trial finished, so nothing was published:", reasons, "Choose another space.")
        )
    return best


def tuning_of(
    task: Task, study: TuningStudy, best: FrozenTrial | None, bench: Bench, stopped: str | None
) -> Tuning:
    """Return the trials, and what they found.

    Args:
        task: the task.
        study: the trials.
        best: the best one, None if no trial finished.
        bench: the settings that all trials share.
        stopped: what ended the search before its last trial, None if nothing did.
    """
    values = {} if best is None else dict(best.user_attrs[VALUES])
    return Tuning(
        _table(study),
        study.objective,
        study.greater_is_better,
        None if best is None else best.value,
        values,
        tuple(name for name in values if is_argument(task, name)),
        study.importance(),
        len(bench.folds) or None,
        stopped,
    )


def _objective_of(study: TuningStudy, trial: FrozenTrial) -> dict[str, float | None]:
    """Return the objective of a trial. Optuna gives a pruned one its last intermediate result."""
    if study.objective is None:
        return {}
    return {study.objective: trial.value if state_of(trial) == FINISHED else None}


def _table(study: TuningStudy) -> Any:
    import pandas as pd

    trials = study.trials()
    rows = [
        {
            "state": state_of(trial),
            **_objective_of(study, trial),
            **trial.user_attrs[VALUES],
            "kept": trial.user_attrs.get(KEPT),
            "seconds": trial.user_attrs.get(SECONDS),
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows, index=pd.Index([trial.number for trial in trials], name="trial"))
    ends = [name for name in ("kept", "seconds") if name in table.columns]
    return table[[name for name in table.columns if name not in ends] + ends]
