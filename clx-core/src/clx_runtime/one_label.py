"""The decision for one label per text."""

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
        return scores_by_label(output, self.labels)

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
        return row | score_of_each(prediction) if all_scores else row

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
        return columns | score_columns(wide, self.labels) if all_scores else columns

    def column_types(self, *, all_scores: bool = False) -> dict[str, Any]:
        """See :meth:`DecisionRule.column_types`."""
        label = original_type(self.labels, self.label_type)
        types = {"label": label, "score": float, "margin": float, "abstained": bool}
        return types | {f"score_{name}": float for name in self.labels if all_scores}

    def to_dict(self) -> dict[str, Any]:
        """See :meth:`DecisionRule.to_dict`."""
        return as_dict(self)
