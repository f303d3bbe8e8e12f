"""What ``tune`` returns: the trials, and the training with the best parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.ml.results.cards import Card, card_html
from clx.ml.results.json_tables import table_to_json
from clx.ml.results.outcome import TrainingResult
from clx.ml.results.tuning_pages import in_words, without_effect

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tuning:
    """The trials of a tuning, and what they found.

    Attributes:
        trials: one row per trial, by number; the columns are ``state`` (``finished``, ``pruned``,
            ``failed`` or ``out of time``), the objective, one column per
            parameter, ``kept`` and ``seconds``.
        objective: the metric that was optimized; None if no trial finished.
        greater_is_better: whether a higher value of it is better.
        value: the objective of the best trial; None if no trial finished.
        best: the parameters of the best trial, empty if no trial finished.
        of_fine_tuning: the tuned parameters that the probe does not depend on, such as the learning
            rate.
        importance: parameter → its share of the effect on the objective; empty if there are too
            few trials to tell.
        folds: the number of folds that the objective is a mean of, None with eval data.
        stopped: ``"time_budget"`` if the time was up before the last trial, else None.
    """

    trials: pd.DataFrame = field(repr=False)
    objective: str | None
    greater_is_better: bool
    value: float | None
    best: dict[str, Any]
    of_fine_tuning: tuple[str, ...] = field(default=(), repr=False)
    importance: dict[str, float] = field(default_factory=dict, repr=False)
    folds: int | None = None
    stopped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON, such as the entry ``tuning`` of the results."""
        return {
            "objective": self.objective,
            "greater_is_better": self.greater_is_better,
            "value": self.value,
            "best": self.best,
            "of_fine_tuning": list(self.of_fine_tuning),
            "importance": self.importance,
            "folds": self.folds,
            "stopped": self.stopped,
            "trials": table_to_json(self.trials),
        }


@dataclass(frozen=True)
class TuningResult(Tuning):
    """The result of a tuning.

    The attributes of the search are followed by those of the published run.

    Attributes:
        training: the training with the best parameters, whose model was published.
        seconds: the duration of the whole call.
    """

    training: TrainingResult = field(kw_only=True, repr=False)
    seconds: float = 0.0

    def _repr_html_(self) -> str:
        def make() -> Card:
            score = {} if self.value is None else {f"best {self.objective}": self.value}
            facts = {**score, **self.best, "trials": len(self.trials)}
            idle = ", ".join(self.without_effect)
            facts |= {"without effect, as the probe was kept": idle} if idle else {}
            return Card("Tuning", self.run_dir.name, facts, report=self.run_dir / "report.html")

        return card_html(self, make)

    @property
    def run_dir(self) -> Path:
        """The directory of the published run."""
        return self.training.run_dir

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the published run on the eval data, empty without eval data."""
        return self.training.metrics

    @property
    def without_effect(self) -> list[str]:
        """The tuned parameters that had no effect on the published model, which is the probe's."""
        return without_effect(super().to_dict(), self.training.kept)

    def to_frame(self) -> pd.DataFrame:
        """Return the trials, one row each; see :attr:`trials`."""
        return self.trials

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "run_dir": str(self.run_dir),
            **super().to_dict(),
            "without_effect": self.without_effect,
            "seconds": round(self.seconds, 3),
            "training": self.training.to_dict(),
        }

    def __str__(self) -> str:
        return in_words(self.to_dict(), self.training.kept)
