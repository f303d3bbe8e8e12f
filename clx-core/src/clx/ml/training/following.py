"""The interface for following a training to log it; the room ``tracking`` passes one in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from clx.ml.results.outcome import TrainingResult

FOLLOWED = "tracking.json"
"""The file beside the checkpoints that says where a training is logged, for resuming it."""


class Follower(Protocol):
    """Follows one training. Its methods are called in this order, in every process."""

    def begin(
        self, reporters: Sequence[str], work_dir: Path, resume_from: Path | None
    ) -> list[Any]:
        """Begin to follow, and return callbacks for the Trainer.

        Args:
            reporters: the names in ``report_to``.
            work_dir: the folder of the checkpoints; its ``logs`` becomes the run's.
            resume_from: the checkpoint that the training continues from, None for a new one.
        """

    @property
    def places(self) -> Mapping[str, Mapping[str, Any]]:
        """Where the training is logged, by tracker: what ``results.json`` records."""

    def evaluated(self, result: TrainingResult) -> None:
        """Take note of the final metrics, before the run is written."""


class NobodyFollows:
    """The follower of a training that is not logged."""

    places: Mapping[str, Mapping[str, Any]] = {}

    def begin(
        self, reporters: Sequence[str], work_dir: Path, resume_from: Path | None
    ) -> list[Any]:
        """Return no callbacks."""
        return []

    def evaluated(self, result: TrainingResult) -> None:
        """Do nothing."""
