"""What ``continue_training`` returns: the result of the training, and old and new on the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from clx.ml.results.cards import Card
from clx.ml.results.comparison import Comparison, comparison_table
from clx.ml.results.outcome import TrainingResult

_SAME_ROWS = "Old and new on the eval rows whose labels both have"


@dataclass(frozen=True)
class ContinuedTraining(TrainingResult):
    """The result of a training that continued a run.

    Attributes:
        continued_from: the name of the earlier run.
        new_labels: the labels that the earlier run does not have, in their order.
        replayed: the number of rows of ``replay`` among the rows.
        comparison: the earlier run ("own") and the new one ("other") on the eval rows whose labels
            the earlier run has. None without such rows, and for a task whose predictions cannot be
            compared.
        carried: the names of the decisions, such as thresholds, that were taken over from the earlier
            run because there was no eval data to fit them on.
    """

    continued_from: str = ""
    new_labels: list[str] = field(default_factory=list)
    replayed: int = 0
    comparison: Comparison | None = field(default=None, repr=False)
    carried: list[str] = field(default_factory=list)

    def _card(self) -> Card:
        card, comparison = super()._card(), self.comparison
        facts = {
            "Continues": self.continued_from,
            "New labels": ", ".join(self.new_labels) or None,
            "Replayed rows": self.replayed or None,
            "Taken over": ", ".join(self.carried) or None,
        }
        tables = [] if comparison is None else [comparison_table(comparison, _SAME_ROWS)]
        return replace(card, facts={**facts, **card.facts}, tables=[*card.tables, *tables])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON (``results.json``)."""
        comparison = None if self.comparison is None else self.comparison.to_dict()
        return {
            **super().to_dict(),
            "continued": {
                "from": self.continued_from,
                "new_labels": self.new_labels,
                "replayed": self.replayed,
                "carried": self.carried,
                "comparison": comparison,
            },
        }
