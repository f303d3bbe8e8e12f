"""What ``set_decisions`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clx.ml.report.words import metric_name, without_intervals
from clx.ml.results.cards import MAX_ROWS, Card, card_html, interval, rows_table
from clx.ml.results.json_tables import json_number

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.results.outcome import EvaluationResult


@dataclass(frozen=True)
class DecisionChange:
    """A change of how a trained run turns scores into decisions.

    Attributes:
        old: the decision options before, such as ``thresholds``.
        new: the same options now.
        metrics_before: the metrics with the old decisions on the data of the call, empty without data.
        evaluation: the evaluation with the new decisions on the same data, None without data.
    """

    old: dict[str, Any]
    new: dict[str, Any]
    metrics_before: dict[str, float] = field(default_factory=dict, repr=False)
    evaluation: EvaluationResult | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        before, now = _by_label(self.old, self.new), _by_label(self.new, self.old)
        decisions = [
            (name, *("none" if of.get(name) is None else of[name] for of in (before, now)))
            for name in dict.fromkeys((*before, *now))
        ]
        metrics = [
            (
                metric_name(name),
                self.metrics_before.get(name, ""),
                self.metrics[name],
                interval(self.metrics.get(f"{name}_low"), self.metrics.get(f"{name}_high")),
            )
            for name in without_intervals(self.metrics)
        ]
        tables = [
            rows_table(["Decision", "Before", "Now"], decisions[:MAX_ROWS]),
            rows_table(["Metric", "Before", "Now", "95 % interval"], metrics),
        ]
        more = len(decisions) - MAX_ROWS
        notes = [f"to_frame() has {more:,} more decisions."] if more > 0 else []
        return Card("Decisions", "Change", tables=tables, notes=notes)

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics with the new decisions on the data of the call, empty without data."""
        return {} if self.evaluation is None else self.evaluation.metrics

    def to_frame(self) -> pd.DataFrame:
        """Return the columns ``old`` and ``new``: one row per decision, then one per metric.

        Values by label, such as thresholds, have one row per label.
        """
        import pandas as pd

        columns = {
            "old": {**_by_label(self.old, self.new), **self.metrics_before},
            "new": {**_by_label(self.new, self.old), **self.metrics},
        }
        names = list(dict.fromkeys(name for values in columns.values() for name in values))
        values = {name: [of.get(key) for key in names] for name, of in columns.items()}
        return pd.DataFrame(values, index=pd.Index(names, name="decision"), dtype=object)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        return {
            "old": self.old,
            "new": self.new,
            "metrics_before": {key: json_number(v) for key, v in self.metrics_before.items()},
            "metrics": {key: json_number(value) for key, value in self.metrics.items()},
        }


def _by_label(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with one entry per label; a value for all labels is repeated if others differ."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        other = others.get(name)
        labels = value if isinstance(value, dict) else other if isinstance(other, dict) else None
        if labels is None:
            result[name] = value
        else:
            own = value if isinstance(value, dict) else dict.fromkeys(labels, value)
            result |= {f"{name}: {label}": own.get(label) for label in labels}
    return result
