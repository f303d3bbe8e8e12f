"""The bodies of responses, in the form of each protocol."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx_runtime.scores import scores_of
from clx_runtime.server.batching import Answer
from clx_runtime.server.served import Facts, Served

if TYPE_CHECKING:
    import numpy as np


def scores(facts: Facts, answers: Sequence[Answer], function: str | None) -> np.ndarray[Any, Any]:
    """Return the scores of texts, shape (texts, labels).

    Args:
        facts: the run.
        answers: the results of the texts.
        function: ``softmax``, ``sigmoid`` or ``none`` (logits); None for the run's own.
    """
    import numpy as np

    if not answers:
        return np.empty((0, len(facts.labels)))
    logits = [each.logits for each in answers if each.logits is not None]
    return scores_of(np.stack(logits), function or facts.function)


def ranked(
    facts: Facts, answers: Sequence[Answer], function: str | None, top_k: int | None = None
) -> list[list[dict[str, Any]]]:
    """Return the labels of each text with their scores, the best first."""
    import numpy as np

    found = scores(facts, answers, function)
    order = np.argsort(-found, axis=1, kind="stable")[:, :top_k]
    ordered = np.take_along_axis(found, order, axis=1).tolist()
    return [
        [
            {"label": facts.labels[label], "score": score}
            for label, score in zip(labels, row, strict=True)
        ]
        for labels, row in zip(order.tolist(), ordered, strict=True)
    ]


def classified(
    facts: Facts, answers: Sequence[Answer], raw: bool, as_infinity: bool
) -> dict[str, Any]:
    """Return the body that vLLM returns from ``/classify``, or Infinity does."""
    function = "none" if raw else None
    tokens = sum(each.tokens for each in answers)
    body = {
        "id": f"classify-{uuid.uuid4().hex}",
        "object": "classify" if as_infinity else "list",
        "created": int(time.time()),
        "model": facts.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    if as_infinity:
        return {**body, "data": ranked(facts, answers, function)}
    found = scores(facts, answers, function)
    best = found.argmax(axis=1).tolist()
    data = [
        {
            "index": n,
            "label": facts.labels[label],
            "probs": row,
            "num_classes": len(facts.labels),
        }
        for n, (label, row) in enumerate(zip(best, found.tolist(), strict=True))
    ]
    return {**body, "data": data}


def decided(
    served: Served, answers: Sequence[Answer], all_scores: bool, min_score: float | None
) -> list[dict[str, Any]]:
    """Return the decision for each text."""
    return [_decision(served, each, all_scores, min_score) for each in answers]


def _decision(
    served: Served, answer: Answer, all_scores: bool, min_score: float | None
) -> dict[str, Any]:
    row = served.row(answer.prediction, all_scores=False, min_score=min_score)
    result = dict(row)
    if "label" in row and "score" in row:
        # A task with one label per text.
        chosen = row["label"] is not None
        result = {
            "labels": [row["label"]] if chosen else [],
            "scores": [row["score"]] if chosen else [],
            "margin": row.get("margin"),
            "abstained": not chosen,
        }
    elif "labels" in row:
        result.setdefault("abstained", False)
    result["truncated"] = bool(row.get("truncated", answer.truncated))
    if all_scores and isinstance(answer.prediction, dict):
        result["all_scores"] = answer.prediction
    return result
