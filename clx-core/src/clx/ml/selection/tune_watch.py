"""Watch a trial: report intermediate results, prune it, and stop it when its time is up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from clx.ml.results.tuning_pages import OUT_OF_TIME, PRUNED

if TYPE_CHECKING:
    from optuna.trial import Trial

PARTS = 4
"""Trials are compared at each quarter of their training, since their numbers of epochs differ."""


class TrialStopped(Exception):
    """Stops a trial early.

    Attributes:
        state: :data:`PRUNED` or :data:`OUT_OF_TIME`.
    """

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(reason)
        self.state = state


class Watch(TrainerCallback):  # type: ignore[misc]
    """Stops a trial that is worse than the median of the earlier ones, or that takes too long.

    Args:
        trial: the trial.
        objective: the metric to compare, None if it is not known yet.
        until: the ``time.monotonic()`` at which the trial ends, None for no limit.
    """

    def __init__(self, trial: Trial, objective: str | None, until: float | None) -> None:
        self.trial, self.objective, self.until = trial, objective, until
        self._reported = 0

    def report(self, part: int, value: float) -> None:
        """Report an intermediate result.

        Args:
            part: how much of the trial is done, in quarters or folds.
            value: the objective.

        Raises:
            TrialStopped: the trial is pruned.
        """
        if part <= self._reported or self.objective is None:
            return
        self._reported = part
        self.trial.report(value, part)
        if self.trial.should_prune():
            raise TrialStopped(PRUNED, f"{self.objective} was {value:.4g}, worse than the median")

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Report the evaluation, except the last one."""
        part = PARTS * state.global_step // max(1, state.max_steps)
        value = (metrics or {}).get(f"eval_{self.objective}")
        if value is not None and 0 < part < PARTS:
            self.report(part, float(value))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop if the time is up, unless this was the last step."""
        is_late = self.until is not None and time.monotonic() > self.until
        if is_late and state.global_step < state.max_steps:
            raise TrialStopped(
                OUT_OF_TIME, f"the time was up at step {state.global_step} of {state.max_steps}"
            )
