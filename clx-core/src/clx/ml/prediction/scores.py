"""From logits to what the text-classification pipeline returns, for a whole batch at once.

The same numbers as ``transformers.TextClassificationPipeline.postprocess`` gives for one text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def score_function(
    asked: str | None, problem_type: str | None, num_labels: int, configured: Any = None
) -> str:
    """Return ``softmax``, ``sigmoid`` or ``none``: what makes scores of logits.

    Args:
        asked: the caller's wish; None leaves it to the model's config, whose entries follow.
        problem_type: such as ``multi_label_classification``.
        num_labels: how many labels the model has.
        configured: the config's own ``function_to_apply``, if it has one.
    """
    if asked is not None:
        return asked
    if problem_type == "regression":
        return "none"
    if problem_type == "multi_label_classification" or num_labels == 1:
        return "sigmoid"
    if problem_type == "single_label_classification" or num_labels > 1:
        return "softmax"
    return str(configured or "none")


def scores_of(logits: np.ndarray[Any, Any], function: str) -> np.ndarray[Any, Any]:
    """Return scores for logits of shape (texts, labels)."""
    import numpy as np

    scores = logits
    if function == "sigmoid":
        # Far below zero exp is infinite and the score 0, as it should be.
        with np.errstate(over="ignore"):
            scores = 1.0 / (1.0 + np.exp(-logits))
    elif function == "softmax":
        shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores = shifted / shifted.sum(axis=-1, keepdims=True)
    return scores


def pipeline_outputs(
    scores: np.ndarray[Any, Any], labels: Mapping[int, str], top_k: int | None, legacy: bool
) -> list[Any]:
    """Return the pipeline's output for each row of scores, shape (texts, labels).

    Args:
        scores: what :func:`scores_of` returns.
        labels: the model's ``id2label``.
        top_k: how many entries; None for all.
        legacy: whether the caller said nothing of ``top_k``: one dict a text then, not a list.
    """
    import numpy as np

    if legacy and top_k == 1:
        best = scores.argmax(axis=1).tolist()
        highest = scores.max(axis=1).tolist()
        return [
            {"label": labels[label], "score": score}
            for label, score in zip(best, highest, strict=True)
        ]
    names = [labels[number] for number in range(scores.shape[1])]
    if legacy:
        return [
            [{"label": n, "score": s} for n, s in zip(names, row, strict=True)]
            for row in scores.tolist()
        ]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    ordered = np.take_along_axis(scores, order, axis=1)
    return [
        [
            {"label": names[label], "score": score}
            for label, score in zip(positions, row, strict=True)
        ]
        for positions, row in zip(order.tolist(), ordered.tolist(), strict=True)
    ]
