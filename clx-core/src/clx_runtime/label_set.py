"""The decision for any number of labels per text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from clx_runtime.decisions import (
    as_dict,
    original,
    original_type,
    score_columns,
    score_of_each,
    scores_by_label,
)

if TYPE_CHECKING:
    import numpy as np


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
        return scores_by_label(output, self.labels)

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
        return row | score_of_each(prediction) if all_scores else row

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
        return columns | score_columns(wide, self.labels) if all_scores else columns

    def _chosen(
        self, scores: np.ndarray[Any, Any], min_score: float | None
    ) -> list[np.ndarray[Any, Any]]:
        """Return the positions of the chosen labels of each row."""
        import numpy as np

        limits = np.array(list(self.limits(min_score).values()), dtype=np.float64)
        return [np.flatnonzero(row) for row in scores.astype(np.float64) >= limits]

    def column_types(self, *, all_scores: bool = False) -> dict[str, Any]:
        """See :meth:`DecisionRule.column_types`."""
        label = original_type(self.labels, self.label_type)
        types: dict[str, Any] = {"labels": [label], "scores": [float], "margin": float}
        return types | {f"score_{name}": float for name in self.labels if all_scores}

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`DecisionRule.to_dict`."""
        return as_dict(self)
