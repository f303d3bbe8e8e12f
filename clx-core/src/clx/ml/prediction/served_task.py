"""A trained run as the server sees it: one call for many texts, with the engine of ``predict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from clx.ml.plugins.calls import observed
from clx.ml.prediction.exported import python_methods
from clx.ml.prediction.predict import CutTexts, Engine, ScoringEngine, predict_texts
from clx_runtime.decisions import DecisionRule
from clx_runtime.scores import scores_of
from clx_runtime.server.served import Computed, Facts, Needs
from clx_runtime.windows import refuse_long

if TYPE_CHECKING:
    import numpy as np

    from clx.ml.task.task import Task

_LOGITS = {"top_k": None, "function_to_apply": "none"}


class CountingEngine(Engine, Protocol):
    """An engine that also counts tokens."""

    def tokens(self) -> list[int]:
        """Return how many tokens of each text of the last call the model read."""


class ServedTask:
    """A run that predicts with an engine.

    Args:
        task: the run.
        engine: its engine, which one thread uses.
        facts: what clients are told. Its labels are empty for a task whose engine returns anything but
            a score for each label.
    """

    def __init__(self, task: Task, engine: CountingEngine, facts: Facts) -> None:
        self._task, self._engine = task, engine
        rule = None if python_methods(task) else task.decision_rule()
        # Without labels, there are no logits that the rule could read.
        self._rule: DecisionRule | None = rule if facts.labels else None
        self.facts = replace(facts, limit=engine.limit())

    def compute(self, texts: Sequence[str], needs: Needs) -> Computed:
        """See :meth:`Served.compute`."""
        found = None
        if needs.logits or self._rule is not None:
            found = self._classified(texts)
            if not needs.prediction:
                return found
        if found is not None and found.logits is not None and self._rule is not None:
            scores = scores_of(found.logits, self.facts.function).tolist()
            made = [dict(zip(self.facts.labels, row, strict=True)) for row in scores]
            return replace(found, predictions=self._observed(texts, lambda _: iter(made)))
        # The task predicts in Python.
        cut = CutTexts(warn=False)
        predictions = self._observed(texts, lambda some: self._predict(some, cut))
        if found is not None:
            return replace(found, predictions=predictions)
        return Computed(None, predictions, cut.flags, [0] * len(texts))

    def row(self, prediction: Any, *, all_scores: bool, min_score: float | None) -> dict[str, Any]:
        """See :meth:`Served.row`."""
        return self._task.prediction_row(prediction, all_scores=all_scores, min_score=min_score)

    def _classified(self, texts: Sequence[str]) -> Computed:
        """Return the logits of texts; equal texts are computed once."""
        distinct = list(dict.fromkeys(texts))
        logits, truncated, tokens = self._logits(distinct)
        row_of = {text: n for n, text in enumerate(distinct)}
        rows = [row_of[text] for text in texts]
        cut = [truncated[row] for row in rows]
        self._refuse_long(cut)
        return Computed(logits[rows], None, cut, [tokens[row] for row in rows])

    def _logits(self, texts: list[str]) -> tuple[np.ndarray[Any, Any], list[bool], list[int]]:
        """Return logits in the order of the labels, whether texts are cut, and their tokens."""
        import numpy as np

        position = {label: n for n, label in enumerate(self.facts.labels)}
        logits = np.empty((len(texts), len(position)), dtype=np.float32)
        window, truncated, tokens = self._engine.window, list[bool](), list[int]()
        engine = self._engine
        order = engine.order(list(position), _LOGITS) if isinstance(engine, ScoringEngine) else None
        for start in range(0, len(texts), window):
            if order is not None and isinstance(engine, ScoringEngine):
                some = texts[start : start + window]
                logits[start : start + window] = engine.called(some, _LOGITS)[:, order]
                truncated += self._engine.cut()
                tokens += self._engine.tokens()
                continue
            outputs = self._engine(texts[start : start + window], _LOGITS)
            truncated += self._engine.cut()
            tokens += self._engine.tokens()
            for row, entries in enumerate(outputs, start):
                for entry in entries:
                    logits[row, position[entry["label"]]] = entry["score"]
        return logits, truncated, tokens

    def _predict(self, texts: Any, cut: CutTexts) -> Iterator[Any]:
        arguments = dict(self._task.predict_args)
        return predict_texts(self._task, texts, lambda: self._engine, arguments, cut)

    def _observed(self, texts: Sequence[str], predict: Callable[[Any], Iterator[Any]]) -> list[Any]:
        return list(observed(self._task, texts, len(texts), predict))

    def _refuse_long(self, truncated: list[bool]) -> None:
        if self._task.strict_length:
            where = [row for row, is_cut in enumerate(truncated) if is_cut]
            refuse_long(where, self._engine.limit(), len(truncated), "the request")
