"""The loss against the teacher's probabilities, and the temperature that minimizes it."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

from clx.ml.distillation.teacher import SINGLE
from clx.ml.model.head.golden_section import golden_section

RANGE = (0.2, 5.0)

SOFTNESS = 3.0
"""The temperature of the scores that a student learns. It makes the scores of the other labels count
more in a confident answer (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network")."""

_LEAST = 1e-6
_TOLERANCE = 1e-8


def soft_loss(logits: Tensor, scores: Tensor, kind: str) -> Tensor:
    """Return the mean loss of logits against a teacher's scores, both of shape (texts, labels).

    Args:
        logits: the student's.
        scores: the teacher's probabilities.
        kind: ``single`` for a softmax over the labels, ``multi`` for a sigmoid for each.
    """
    if kind == SINGLE:
        return functional.cross_entropy(logits, scores)
    return functional.binary_cross_entropy_with_logits(logits, scores)


def softened(scores: Tensor, kind: str) -> Tensor:
    """Return scores at the temperature ``SOFTNESS``, shape (texts, labels).

    Args:
        scores: the teacher's probabilities.
        kind: as for :func:`soft_loss`.
    """
    limited = scores.clamp(_LEAST, 1 - _LEAST)
    if kind == SINGLE:
        return (limited.log() / SOFTNESS).softmax(dim=1)
    return (limited.logit() / SOFTNESS).sigmoid()


def best_temperature(logits: Tensor, scores: Tensor, kind: str) -> float:
    """Return the number to divide logits by for the lowest loss, by golden-section search."""

    def loss(at: float) -> float:
        return float(soft_loss(logits.double() / math.exp(at), scores.double(), kind))

    low, high = map(math.log, RANGE)
    return math.exp(golden_section(loss, low, high, _TOLERANCE))
