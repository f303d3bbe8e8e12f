"""The time of a tuning: how long a trial may take so that the best one can still be published."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

RESERVE_S = 3.0
"""The seconds for loading the data and writing the run."""

SLOWER = 1.15
"""The published training may take this many times as long as the trial that it repeats."""


@dataclass(frozen=True)
class Clock:
    """The time limit of one call of ``tune``.

    Attributes:
        seconds: the limit, None for no limit.
        started: ``time.monotonic()`` at the call.
        share: the estimated duration of the published training, as a share of its trial's.
    """

    seconds: float | None
    started: float
    share: float = 1.0

    def left(self) -> float | None:
        """Return the seconds that are left, None for no limit."""
        if self.seconds is None:
            return None
        return self.seconds - (time.monotonic() - self.started)

    def publishing(self, trial_seconds: float) -> float:
        """Return the estimated duration of the training that repeats a trial."""
        return SLOWER * self.share * trial_seconds + RESERVE_S

    def for_a_trial(self, best_seconds: float | None) -> float | None:
        """Return the seconds that a new trial may take, None for no limit.

        Time is left to publish the best trial so far, and to publish the new one in its place.

        Args:
            best_seconds: the duration of the best trial so far, None before one has finished.
        """
        left = self.left()
        if left is None:
            return None
        most = (left - RESERVE_S) / (1 + SLOWER * self.share)
        return most if best_seconds is None else min(most, left - self.publishing(best_seconds))

    def has_time(self, durations: Sequence[float], best_seconds: float | None) -> bool:
        """Return whether a trial as long as the median of earlier ones fits.

        Args:
            durations: the seconds of earlier trials.
            best_seconds: as in :meth:`for_a_trial`.
        """
        allowed = self.for_a_trial(best_seconds)
        usual = statistics.median(durations) if durations else 0.0
        return allowed is None or allowed > usual

    def for_publishing(self, trial_seconds: float | None) -> float | None:
        """Return the time budget of the published training, None if it needs no limit.

        Args:
            trial_seconds: the duration of the trial that it repeats, None if no trial finished.
        """
        left = self.left()
        if left is None:
            return None
        if trial_seconds is not None and self.publishing(trial_seconds) <= left:
            return None
        return max(1.0, left)
