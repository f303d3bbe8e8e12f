"""How a decision follows from the scores of a text, as data.

A task says which rule it uses with ``decision_rule``. The rule is saved with an export, so an exported
model decides without the task's Python code. The public names of this module are also in
:mod:`clx.ml.decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np

KINDS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "int": int,
    "bool": lambda name: name == "True",
}
"""Maps the kind of a label to the function that restores the original label from its name."""


class DecisionRule(Protocol):
    """A rule that turns the scores of one text into a decision.

    Attributes:
        kind: the name of the rule in the settings of an export.
        labels: the names of the labels, in order.
    """

    kind: ClassVar[str]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, in order."""

    def scores(self, output: Any) -> dict[str, float]:
        """Return ``{label: score}`` in the order of the labels.

        Args:
            output: what the text-classification pipeline returns for one text.
        """

    def decide(self, prediction: Mapping[str, float], min_score: float | None = None) -> Any:
        """Return the decision for ``{label: score}``.

        Args:
            prediction: the score of each label.
            min_score: overrides the limits of the rule.
        """

    def row(
        self,
        prediction: Mapping[str, float],
        *,
        all_scores: bool = False,
        min_score: float | None = None,
    ) -> dict[str, Any]:
        """Return the columns of a table for ``{label: score}``.

        Args:
            prediction: the score of each label.
            all_scores: whether to add a column ``score_<label>`` for each label.
            min_score: overrides the limits of the rule.
        """

    def decide_all(self, scores: np.ndarray[Any, Any], min_score: float | None = None) -> list[Any]:
        """Return the decision for each row of scores, as :meth:`decide` does for one text.

        Args:
            scores: shape (texts, labels), in the order of the labels.
            min_score: overrides the limits of the rule.
        """

    def columns(
        self,
        scores: np.ndarray[Any, Any],
        *,
        all_scores: bool = False,
        min_score: float | None = None,
    ) -> dict[str, list[Any]]:
        """Return the columns of a table for rows of scores, as :meth:`row` does for one text.

        Args:
            scores: shape (texts, labels), in the order of the labels.
            all_scores: whether to add a column ``score_<label>`` for each label.
            min_score: overrides the limits of the rule.
        """

    def column_types(self, *, all_scores: bool = False) -> dict[str, Any]:
        """Return the type of each column: a type, a list of one type, or object for any value."""

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as plain values for JSON."""


def original(name: str, kind: str) -> Any:
    """Return the original label with this name in the training data."""
    return KINDS[kind](name)


def original_type(names: Iterable[str], kind: str | None) -> type:
    """Return the type of the original labels: str, int, bool, or object for ints beyond 64 bits.

    Args:
        names: the names of the labels.
        kind: the ``label_type``.
    """
    if kind != "int":
        return bool if kind == "bool" else str
    return int if all(-(2**63) <= int(name) < 2**63 for name in names) else object


def as_dict(rule: Any) -> dict[str, Any]:
    """Return a rule as plain values for JSON."""
    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
    return {"kind": rule.kind, **plain}


def scores_by_label(output: Any, labels: Iterable[str]) -> dict[str, float]:
    """Return the output of the text-classification pipeline as ``{label: score}``, in order."""
    entries = [output] if isinstance(output, dict) else output
    scores = {entry["label"]: entry["score"] for entry in entries}
    return {name: scores[name] for name in labels if name in scores}


def score_of_each(prediction: Mapping[str, float]) -> dict[str, float]:
    """Return a column for the score of each label."""
    return {f"score_{name}": score for name, score in prediction.items()}


def score_columns(scores: np.ndarray[Any, Any], labels: Iterable[str]) -> dict[str, list[float]]:
    """Return a column for the scores of each label."""
    return {f"score_{name}": scores[:, n].tolist() for n, name in enumerate(labels)}
