"""How a decision follows from the scores of a text, as data.

A task says which rule it uses with ``decision_rule``. The rule is saved with an export, so an exported
model decides without the task's Python code. The public names of this module are also in
:mod:`clx.ml.decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from clx_runtime.problems import cell, names

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

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as plain values for JSON."""


@dataclass(frozen=True)
class OneLabel:
    """The label with the highest score, or none if the score is below a limit.

    Attributes:
        labels: the names of the labels, in order.
        label_type: the type of the labels in the data: ``str``, ``int`` or ``bool``.
        min_score: the score below which there is no decision. None means that there always is one.
    """

    kind: ClassVar[str] = "one_label"
    labels: tuple[str, ...]
    label_type: str = "str"
    min_score: float | None = None

    def scores(self, output: Any) -> dict[str, float]:
        """See :meth:`DecisionRule.scores`."""
        return _scores(output, self.labels)

    def decide(self, prediction: Mapping[str, float], min_score: float | None = None) -> str | None:
        """Return the name of the best label, or None if its score is below the limit."""
        best = max(prediction, key=prediction.__getitem__)
        limit = self.min_score if min_score is None else min_score
        return None if limit is not None and prediction[best] < limit else str(best)

    def row(
        self,
        prediction: Mapping[str, float],
        *,
        all_scores: bool = False,
        min_score: float | None = None,
    ) -> dict[str, Any]:
        """Return the best label with its original type, its score, its margin, and whether to abstain.

        ``label`` is None if the score is below the limit. ``margin`` is the lead over the second-best
        label.
        """
        name = self.decide(prediction, min_score)
        ranked = sorted(prediction.values(), reverse=True)
        row = {
            "label": None if name is None else original(name, self.label_type),
            "score": ranked[0],
            "margin": ranked[0] - ranked[1] if len(ranked) > 1 else ranked[0],
            "abstained": name is None,
        }
        return row | _all_scores(prediction) if all_scores else row

    def decide_all(
        self, scores: np.ndarray[Any, Any], min_score: float | None = None
    ) -> list[str | None]:
        """See :meth:`DecisionRule.decide_all`."""
        import numpy as np

        limit = self.min_score if min_score is None else min_score
        names = [self.labels[best] for best in scores.argmax(axis=1).tolist()]
        if limit is None:
            return list(names)
        # In 32 bits the limit would be rounded.
        decided = (scores.max(axis=1).astype(np.float64) >= limit).tolist()
        return [
            name if is_decided else None for name, is_decided in zip(names, decided, strict=True)
        ]

    def columns(
        self,
        scores: np.ndarray[Any, Any],
        *,
        all_scores: bool = False,
        min_score: float | None = None,
    ) -> dict[str, list[Any]]:
        """See :meth:`DecisionRule.columns`."""
        import numpy as np

        wide = scores.astype(np.float64)
        names = self.decide_all(wide, min_score)
        ranked = np.partition(wide, max(0, wide.shape[1] - 2), axis=1)[:, -2:]
        margin = ranked[:, -1] - ranked[:, -2] if ranked.shape[1] > 1 else ranked[:, -1]
        known = {name: original(name, self.label_type) for name in self.labels}
        columns: dict[str, list[Any]] = {
            "label": [None if name is None else known[name] for name in names],
            "score": ranked[:, -1].tolist(),
            "margin": margin.tolist(),
            "abstained": [name is None for name in names],
        }
        return columns | _score_columns(wide, self.labels) if all_scores else columns

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`DecisionRule.to_dict`."""
        return _as_dict(self)


@dataclass(frozen=True)
class LabelSet:
    """Every label whose score reaches its threshold.

    Attributes:
        labels: the names of the labels, in order.
        label_type: the type of the labels in the data: ``str``, ``int`` or ``bool``.
        thresholds: the threshold of each label, shape (labels,).
    """

    kind: ClassVar[str] = "label_set"
    labels: tuple[str, ...]
    label_type: str = "str"
    thresholds: tuple[float, ...] = ()

    def limits(self, min_score: float | None = None) -> dict[str, float]:
        """Return the threshold of each label, which is ``min_score`` if that is not None."""
        if min_score is not None:
            return dict.fromkeys(self.labels, float(min_score))
        return dict(zip(self.labels, self.thresholds, strict=True))

    def scores(self, output: Any) -> dict[str, float]:
        """See :meth:`DecisionRule.scores`."""
        return _scores(output, self.labels)

    def decide(self, prediction: Mapping[str, float], min_score: float | None = None) -> list[str]:
        """Return the names of the labels whose score reaches their threshold."""
        limits = self.limits(min_score)
        return [name for name, score in prediction.items() if score >= limits[name]]

    def row(
        self,
        prediction: Mapping[str, float],
        *,
        all_scores: bool = False,
        min_score: float | None = None,
    ) -> dict[str, Any]:
        """Return the chosen labels, their scores, and the margin of the closest decision.

        ``margin`` is the smallest distance between a score and its threshold.
        """
        limits, chosen = self.limits(min_score), self.decide(prediction, min_score)
        row: dict[str, Any] = {
            "labels": [original(name, self.label_type) for name in chosen],
            "scores": [prediction[name] for name in chosen],
            "margin": min(abs(score - limits[name]) for name, score in prediction.items()),
        }
        return row | _all_scores(prediction) if all_scores else row

    def decide_all(
        self, scores: np.ndarray[Any, Any], min_score: float | None = None
    ) -> list[list[str]]:
        """See :meth:`DecisionRule.decide_all`."""
        return [[self.labels[n] for n in row] for row in self._chosen(scores, min_score)]

    def columns(
        self,
        scores: np.ndarray[Any, Any],
        *,
        all_scores: bool = False,
        min_score: float | None = None,
    ) -> dict[str, list[Any]]:
        """See :meth:`DecisionRule.columns`."""
        import numpy as np

        wide, limits = scores.astype(np.float64), list(self.limits(min_score).values())
        chosen = self._chosen(wide, min_score)
        known = [original(name, self.label_type) for name in self.labels]
        columns: dict[str, list[Any]] = {
            "labels": [[known[n] for n in row] for row in chosen],
            "scores": [wide[text, row].tolist() for text, row in enumerate(chosen)],
            "margin": np.abs(wide - np.array(limits)).min(axis=1).tolist(),
        }
        return columns | _score_columns(wide, self.labels) if all_scores else columns

    def _chosen(
        self, scores: np.ndarray[Any, Any], min_score: float | None
    ) -> list[np.ndarray[Any, Any]]:
        """Return the positions of the chosen labels of each row."""
        import numpy as np

        limits = np.array(list(self.limits(min_score).values()), dtype=np.float64)
        return [np.flatnonzero(row) for row in scores.astype(np.float64) >= limits]

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`DecisionRule.to_dict`."""
        return _as_dict(self)


_RULES: dict[str, type[OneLabel] | type[LabelSet]] = {
    rule.kind: rule for rule in (OneLabel, LabelSet)
}


def rule_of(values: Mapping[str, Any]) -> OneLabel | LabelSet:
    """Return the rule that ``to_dict`` wrote.

    Raises:
        ValueError: the values are not those of a rule.
    """
    rule = _RULES.get(str(values.get("kind")))
    if rule is None:
        raise ValueError(
            f"the kind of a decision is one of {names(_RULES)}, not {cell(values.get('kind'))}"
        )
    known = {field.name for field in fields(rule)}
    made: Any = {name: _frozen(value) for name, value in values.items() if name in known}
    return _checked(rule(**made))


def original(name: str, kind: str) -> Any:
    """Return the original label with this name in the training data."""
    return KINDS[kind](name)


def _checked(rule: OneLabel | LabelSet) -> OneLabel | LabelSet:
    if not rule.labels or not all(isinstance(name, str) for name in rule.labels):
        raise ValueError(f"labels are {cell(rule.labels)}")
    if rule.label_type not in KINDS:
        raise ValueError(f"label_type is {cell(rule.label_type)}")
    limits = rule.thresholds if isinstance(rule, LabelSet) else [rule.min_score]
    if not all(limit is None or _is_number(limit) for limit in limits):
        raise ValueError(f"the limits of the scores are {cell(list(limits))}")
    if isinstance(rule, LabelSet) and len(rule.thresholds) != len(rule.labels):
        raise ValueError(f"{len(rule.thresholds)} thresholds for {len(rule.labels)} labels")
    return rule


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _as_dict(rule: OneLabel | LabelSet) -> dict[str, Any]:
    values = {field.name: getattr(rule, field.name) for field in fields(rule)}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
    return {"kind": rule.kind, **plain}


def _scores(output: Any, labels: Iterable[str]) -> dict[str, float]:
    entries = [output] if isinstance(output, dict) else output
    scores = {entry["label"]: entry["score"] for entry in entries}
    return {name: scores[name] for name in labels if name in scores}


def _all_scores(prediction: Mapping[str, float]) -> dict[str, float]:
    return {f"score_{name}": score for name, score in prediction.items()}


def _score_columns(scores: np.ndarray[Any, Any], labels: Iterable[str]) -> dict[str, list[float]]:
    return {f"score_{name}": scores[:, n].tolist() for n, name in enumerate(labels)}
