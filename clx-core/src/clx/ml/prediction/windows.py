"""The predictions of some texts: score arrays where the task's rule decides, else Python objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from clx.ml.plugins.manager import plugins
from clx.ml.prediction.exported import python_methods
from clx.ml.task.author_code import author_code
from clx.ml.task.task import Task
from clx_runtime.label_set import LabelSet
from clx_runtime.one_label import OneLabel

if TYPE_CHECKING:
    import numpy as np

ArrayRule = OneLabel | LabelSet
"""The rules that decide on score arrays as they do on single predictions."""


def array_rule(task: Task) -> ArrayRule | None:
    """Return the rule by which predictions of a task can be decided on arrays.

    It is None if Python code takes part: a method of the task, another rule, or a plugin that observes
    predictions.
    """
    if python_methods(task) or plugins().has("clx_after_prediction"):
        return None
    if type(task).prediction_types is not Task.prediction_types:
        return None
    with author_code(task, "decision_rule"):
        rule = task.decision_rule()
    # A subclass may decide otherwise on single predictions.
    return rule if type(rule) in (OneLabel, LabelSet) else None  # type: ignore[return-value]


class ColumnRows(Sequence[Mapping[str, Any]]):
    """Rows of predictions, stored by column.

    Args:
        columns: the values of each column, shape (rows,).
        count: the number of rows.

    Attributes:
        columns: see above.
    """

    def __init__(self, columns: Mapping[str, list[Any]], count: int) -> None:
        self.columns, self._count = columns, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(self._count))]
        if not -self._count <= place < self._count:
            raise IndexError(place)
        return {name: values[place] for name, values in self.columns.items()}

    def spread(self, places: Sequence[int], count: int) -> ColumnRows:
        """Return rows with these at their places, and None in every column of the others."""
        if len(places) == count:
            return self
        columns: dict[str, list[Any]] = {}
        for name, values in self.columns.items():
            columns[name] = [None] * count
            for place, value in zip(places, values, strict=True):
                columns[name][place] = value
        return ColumnRows(columns, count)


@dataclass(frozen=True)
class ScoreWindow:
    """Predictions as an array.

    Attributes:
        rule: how to decide.
        scores: shape (texts, labels), in the order of the rule's labels.
    """

    rule: ArrayRule
    scores: np.ndarray[Any, Any]

    def decisions(self, min_score: float | None) -> list[Any]:
        """Return the decision for each text."""
        return self.rule.decide_all(self.scores, min_score)

    def rows(self, all_scores: bool, min_score: float | None) -> ColumnRows:
        """Return the columns of a table."""
        columns = self.rule.columns(self.scores, all_scores=all_scores, min_score=min_score)
        return ColumnRows(columns, len(self.scores))


@dataclass(frozen=True)
class PredictionWindow:
    """Predictions as the task returns them.

    Attributes:
        task: decides.
        predictions: one per text.
    """

    task: Task
    predictions: list[Any]

    def decisions(self, min_score: float | None) -> list[Any]:
        """Return the decision for each text."""
        return [self.task.decide(each, min_score) for each in self.predictions]

    def rows(self, all_scores: bool, min_score: float | None) -> list[dict[str, Any]]:
        """Return the columns of a table for each text."""
        return [
            self.task.prediction_row(each, all_scores=all_scores, min_score=min_score)
            for each in self.predictions
        ]


Window = ScoreWindow | PredictionWindow


def score_window(task: Task, rule: ArrayRule, scores: np.ndarray[Any, Any]) -> Window:
    """Return predictions as an array, or for a model that gives NaN as the task returns them.

    Args:
        task: the run.
        rule: its rule.
        scores: shape (texts, labels), in the order of the rule's labels.
    """
    import numpy as np

    if np.isfinite(scores).all():
        return ScoreWindow(rule, scores)
    # Comparisons with NaN depend on their order.
    found = [dict(zip(rule.labels, row, strict=True)) for row in scores.tolist()]
    return PredictionWindow(task, found)
