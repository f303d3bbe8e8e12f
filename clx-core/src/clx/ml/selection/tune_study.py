"""The study of a tuning: Optuna's record of its trials, in a file beside the run.

A study is identified by its data, options and space, so trials that cannot be compared are never in
one study. Other studies in the file stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml.results.tuning_pages import FINISHED, PRUNED
from clx.ml.selection.tune_storage import PUBLISHING
from clx.problems import names
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

IDENTITY, BEGUN, VALUES, SECONDS, KEPT, OBJECTIVE, REASON = (
    "identity",
    "begun",
    "values",
    "seconds",
    "kept",
    "objective",
    "reason",
)
"""The names of our entries in a study and in its trials."""

RANDOM_TRIALS = 6
"""The most trials with random values before Optuna chooses values from earlier results."""

UNPRUNED_TRIALS = 4
"""The number of trials that finish before a trial may be pruned."""

MIN_TRIALS = 4
"""The fewest finished trials that show which parameters matter."""


@dataclass(frozen=True)
class Measured:
    """The measurements of a finished trial.

    Attributes:
        values: the values of the parameters.
        value: the objective.
        kept: ``TrainingResult.kept``.
        seconds: its duration.
    """

    values: dict[str, Any]
    value: float
    kept: str | float | None
    seconds: float


class TuningStudy:
    """The trials of one tuning.

    The direction of a study is fixed when it is created, but the objective may be known only after
    the first trial. That trial belongs to a study in memory until then.
    """

    def __init__(self, storage: RDBStorage, identity: Mapping[str, Any], seed: int) -> None:
        import optuna

        self._storage, self._identity = storage, json.loads(json.dumps(identity))
        self.name = digest(self._identity)
        self._first = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
        self._study: Study | None = None
        self._seed = seed
        studies = optuna.get_all_study_summaries(storage)
        if any(study.study_name == self.name for study in studies):
            self._study = optuna.load_study(study_name=self.name, storage=storage)
            self._set_sampler()
            self._repeat_stopped()
        elif studies:
            newest = max(studies, key=lambda study: study.user_attrs.get(BEGUN, 0.0))
            self._warn_of_other(newest.user_attrs.get(IDENTITY) or {})

    def _warn_of_other(self, other: Mapping[str, Any]) -> None:
        changed = [key for key, value in self._identity.items() if other.get(key) != value]
        warnings.warn(
            f"This tuning starts over, because the {names(changed)} differ from those of the earlier "
            f"tuning of this run. The earlier trials are kept, and are used again with the earlier "
            f"{names(changed)}.",
            ClxWarning,
            stacklevel=user_level(),
        )

    def _set_sampler(self) -> None:
        import optuna

        assert self._study is not None
        # A resumed study must not draw the numbers of its first trials again.
        seed = self._seed + len(self._study.trials)
        self._study.sampler = optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=seed)
        self._study.pruner = optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED_TRIALS)

    def _repeat_stopped(self) -> None:
        """Mark the trial that a kill stopped as failed, and repeat its values."""
        from optuna.trial import TrialState

        assert self._study is not None
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._study.enqueue_trial(trial.params, skip_if_exists=True)

    # ---- Trials ----------------------------------------------------------------------------------

    @property
    def objective(self) -> str | None:
        """The metric that is optimized, None before the first trial has finished."""
        return None if self._study is None else self._study.user_attrs.get(OBJECTIVE)

    @property
    def greater_is_better(self) -> bool:
        """Whether a higher value of the objective is better."""
        return self._study is not None and self._study.direction.name == "MAXIMIZE"

    def begin_with(self, values: Mapping[str, Any]) -> None:
        """Use these values for the first trial, unless there are trials already."""
        if self._study is None:
            self._first.enqueue_trial(dict(values))

    def ask(self) -> Trial:
        """Return a new trial."""
        return (self._study or self._first).ask()

    def finished(self, trial: Trial, measured: Measured, objective: str, greater: bool) -> None:
        """Record a finished trial.

        Args:
            trial: the trial.
            measured: its result.
            objective: the metric that it measured.
            greater: whether a higher value is better.
        """
        for name, value in (
            (VALUES, measured.values),
            (SECONDS, measured.seconds),
            (KEPT, measured.kept),
        ):
            trial.set_user_attr(name, value)
        if self._study is not None:
            self._study.tell(trial, measured.value)
            return
        self._first.tell(trial, measured.value)
        self._create(objective, greater)

    def _create(self, objective: str, greater: bool) -> None:
        """Create the study in the file, and move the trials there."""
        import optuna

        self._study = optuna.create_study(
            storage=self._storage,
            study_name=self.name,
            direction="maximize" if greater else "minimize",
        )
        self._study.set_user_attr(IDENTITY, self._identity)
        self._study.set_user_attr(BEGUN, time.time())
        self._study.set_user_attr(OBJECTIVE, objective)
        self._study.add_trials(trial for trial in self._first.trials if trial.state.is_finished())
        self._set_sampler()

    def stopped(self, trial: Trial, values: Mapping[str, Any], state: str, reason: str) -> None:
        """Record a trial that did not finish.

        Args:
            trial: the trial.
            values: the values of the parameters.
            state: :data:`PRUNED`, :data:`FAILED` or :data:`OUT_OF_TIME`.
            reason: why, in words.
        """
        from optuna.trial import TrialState

        trial.set_user_attr(VALUES, dict(values))
        trial.set_user_attr(REASON, {"state": state, "reason": reason})
        told = TrialState.PRUNED if state == PRUNED else TrialState.FAIL
        (self._study or self._first).tell(trial, state=told)

    def set_publishing(self, number: int | None) -> None:
        """Record that a trial is being published, or, with None, that no trial is."""
        if self._study is not None:
            self._study.set_user_attr(PUBLISHING, number)

    def trials(self) -> list[FrozenTrial]:
        """Return the trials that ended by themselves: finished, pruned, failed, or out of time."""
        found = (self._study or self._first).get_trials(deepcopy=False)
        return [trial for trial in found if state_of(trial) is not None]

    def best(self) -> FrozenTrial | None:
        """Return the best finished trial, the earliest of several; None if no trial finished."""
        done = [trial for trial in self.trials() if state_of(trial) == FINISHED]
        sign = -1 if self.greater_is_better else 1
        return min(done, key=lambda trial: (sign * trial.value, trial.number), default=None)

    def importance(self) -> dict[str, float]:
        """Return the importance of each parameter, empty if the trials cannot tell."""
        done = [trial for trial in self.trials() if state_of(trial) == FINISHED]
        if self._study is None or len(done) < MIN_TRIALS or len(done[0].params) < 2:
            return {}
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        with warnings.catch_warnings():
            # Older versions of Optuna call this evaluator experimental.
            warnings.simplefilter("ignore")
            try:
                found = get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())
            except (ValueError, RuntimeError):
                return {}
        return {name: float(value) for name, value in found.items()}


def state_of(trial: FrozenTrial) -> str | None:
    """Return the state of a trial, None if it runs, waits, or was killed."""
    from optuna.trial import TrialState

    if trial.state == TrialState.COMPLETE:
        return FINISHED
    reason = trial.user_attrs.get(REASON)
    return None if reason is None else str(reason["state"])


def digest(identity: Mapping[str, Any]) -> str:
    """Return the name of the study of an identity."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
