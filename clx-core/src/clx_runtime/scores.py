"""From logits to the output of the text-classification pipeline, for a whole batch at once.

The numbers are those that ``transformers.TextClassificationPipeline.postprocess`` returns per text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def score_function(
    requested: str | None, problem_type: str | None, num_labels: int, configured: Any = None
) -> str:
    """Return the function that turns logits into scores: ``softmax``, ``sigmoid`` or ``none``.

    Args:
        requested: the caller's choice; None leaves it to the model's config, whose entries follow.
        problem_type: such as ``multi_label_classification``.
        num_labels: the number of labels of the model.
        configured: the config's own ``function_to_apply``, None if it has none.
    """
    if requested is not None:
        return requested
    if problem_type == "regression":
        return "none"
    if problem_type == "multi_label_classification" or num_labels == 1:
        return "sigmoid"
    if problem_type == "single_label_classification" or num_labels > 1:
        return "softmax"
    return str(configured or "none")


def scores_of(logits: np.ndarray[Any, Any], function: str) -> np.ndarray[Any, Any]:
    """Return the scores of logits; both have the shape (texts, labels)."""
    import numpy as np

    scores = logits
    if function == "sigmoid":
        # For a large negative logit exp overflows to infinity, which gives the right score, 0.
        with np.errstate(over="ignore"):
            scores = 1.0 / (1.0 + np.exp(-logits))
    elif function == "softmax":
        shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores = shifted / shifted.sum(axis=-1, keepdims=True)
    return scores


def pipeline_outputs(
    scores: np.ndarray[Any, Any], labels: Mapping[int, str], top_k: int | None, legacy: bool
) -> list[Any]:
    """Return the pipeline's output for each row of scores.

    Args:
        scores: the result of :func:`scores_of`, shape (texts, labels).
        labels: the model's ``id2label``.
        top_k: the number of entries per text; None for all.
        legacy: whether the caller left ``top_k`` out. The pipeline then returns one dict per text if
            ``top_k`` is 1, and otherwise lists in the order of the labels.
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
