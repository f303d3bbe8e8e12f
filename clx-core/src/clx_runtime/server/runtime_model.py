"""An exported run, served with ``clx_runtime`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clx_runtime.archive import SUFFIX
from clx_runtime.label_set import LabelSet
from clx_runtime.model import Model
from clx_runtime.opening import load
from clx_runtime.scores import scores_of
from clx_runtime.server.served import Computed, Facts, Needs
from clx_runtime.server.stamps import stamp_of


class ServedModel:
    """A model of ``clx_runtime.load``.

    Args:
        model: the model.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.facts = Facts(
            name=model.identity.name,
            task=model.identity.task,
            identity=model.identity.digest,
            backend=model.identity.backend,
            device=model.device,
            labels=tuple(model.labels),
            multi_label=isinstance(model.rule, LabelSet),
            function=model.function,
            limits=limits_of(model.rule),
            limit=model.limit,
            text_columns=model.text_columns,
        )

    def compute(self, texts: Sequence[str], needs: Needs) -> Computed:
        """See :meth:`Served.compute`."""
        import numpy as np

        found = list(self._model.scored(list(texts), function="none"))
        logits = np.concatenate([scored.scores for scored in found])
        predictions = None
        if needs.prediction:
            scores = scores_of(logits, self.facts.function).tolist()
            predictions = [dict(zip(self.facts.labels, row, strict=True)) for row in scores]
        return Computed(
            logits,
            predictions,
            [flag for scored in found for flag in scored.truncated],
            [count for scored in found for count in scored.tokens],
        )

    def row(self, prediction: Any, *, all_scores: bool, min_score: float | None) -> dict[str, Any]:
        """See :meth:`Served.row`."""
        return self._model.rule.row(prediction, all_scores=all_scores, min_score=min_score)


class ExportedSource:
    """A run directory or an archive, opened with ``clx_runtime.load``.

    Args:
        path: as for ``load``.
        backend: as for ``load``.
        threads: as for ``load``.
    """

    def __init__(self, path: str, backend: str | None, threads: int | None) -> None:
        self.path, self._backend, self._threads = Path(path).expanduser(), backend, threads
        self.name = self.path.resolve().name.removesuffix(SUFFIX)

    def open(self) -> ServedModel:
        """See :meth:`Source.open`."""
        return ServedModel(load(self.path, self._backend, threads=self._threads, monitor=False))

    def stamp(self) -> object:
        """See :meth:`Source.stamp`."""
        return stamp_of(self.path)


def limits_of(rule: Any) -> dict[str, float]:
    """Return label → the score from which a decision rule chooses it, empty if it has no limit."""
    if isinstance(rule, LabelSet):
        return rule.limits()
    limit = getattr(rule, "min_score", None)
    return {} if limit is None else dict.fromkeys(rule.labels, float(limit))
