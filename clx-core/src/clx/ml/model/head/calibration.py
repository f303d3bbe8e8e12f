"""Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks").

Scores are divided by the number that gives the lowest log loss on data that was not trained on. The
decisions of a single-label model stay the same, and its probabilities become reliable.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from clx.ml.data.row_targets import NO_TARGETS, RowTargets
from clx.ml.metrics import expected_calibration_error
from clx.ml.model.head.golden_section import golden_section
from clx.ml.model.head.probe import Kind

RANGE = (0.05, 20.0)
MIN_ROWS = 20
"""Fewer rows are not enough to judge probabilities."""


@dataclass(frozen=True)
class Calibration:
    """A temperature and its effect on the rows that it was chosen on.

    Attributes:
        temperature: the divisor of the scores; above 1, the model was overconfident.
        rows: the number of rows that it was chosen on.
        log_loss_before: the mean log loss of the original scores.
        log_loss_after: the mean log loss of the divided scores.
        ece_before: the expected calibration error of the original scores.
        ece_after: the expected calibration error of the divided scores.
    """

    temperature: float
    rows: int
    log_loss_before: float
    log_loss_after: float
    ece_before: float
    ece_after: float

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)


def calibrate(
    labels: Any, logits: Any, kind: Kind, rows: RowTargets = NO_TARGETS
) -> Calibration | None:
    """Return the best temperature and its effect, None if it cannot be chosen.

    Args:
        labels: label ids, shape (rows,), or 0 and 1, shape (rows, labels).
        logits: shape (rows, labels).
        kind: ``single`` or ``multi``; a regression has no probabilities.
        rows: the weights and the soft labels of the rows. The log loss is then the one of the soft
            labels, and the calibration error that of the labels.

    Returns:
        None for fewer than ``MIN_ROWS`` rows, scores that are not finite, or a regression.
    """
    scores = torch.as_tensor(np.asarray(logits), dtype=torch.float64)
    truth = torch.as_tensor(np.asarray(labels))
    if kind == "regression" or len(scores) < MIN_ROWS or not torch.isfinite(scores).all():
        return None
    if kind == "single":
        labeled = truth >= 0
        scores, truth, rows = scores[labeled], truth[labeled].long(), rows.select(labeled.numpy())
    else:
        truth = truth.to(scores)
    weights = None if rows.weights is None else torch.from_numpy(rows.weights).to(scores)
    soft = truth if rows.probabilities is None else torch.from_numpy(rows.probabilities).to(scores)
    temperature = _lowest(scores, _softened(soft, scores, kind), kind, weights)
    return Calibration(
        temperature=round(temperature, 6),
        rows=len(scores),
        log_loss_before=log_loss(scores, soft, kind, weights),
        log_loss_after=log_loss(scores / temperature, soft, kind, weights),
        ece_before=_ece(scores, truth, kind, rows.weights),
        ece_after=_ece(scores / temperature, truth, kind, rows.weights),
    )


def _softened(truth: torch.Tensor, scores: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Return the truth as probabilities of at most 1 - 1/(n + 2), where n is the number of rows.

    If scores separate the rows without an error, no temperature would be low enough for probabilities
    of 1. Source: the targets of Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    Soft labels that are less certain stay as they are.
    """
    labels = scores.shape[1]
    doubt = 1 / (len(scores) + 2)
    if kind == "multi":
        return truth.clamp(doubt, 1 - doubt)
    if truth.ndim == 2:
        bounded = truth.clamp(doubt / max(1, labels - 1), 1 - doubt)
        return bounded / bounded.sum(dim=1, keepdim=True)
    sure = functional.one_hot(truth, labels).to(scores)
    return sure * (1 - doubt) + (1 - sure) * doubt / max(1, labels - 1)


def log_loss(
    scores: torch.Tensor, truth: torch.Tensor, kind: Kind, weights: torch.Tensor | None = None
) -> float:
    """Return the mean log loss per row, or per row and label for ``multi``.

    Args:
        scores: shape (rows, labels).
        truth: label ids, shape (rows,), or probabilities, shape (rows, labels).
        kind: ``single`` or ``multi``.
        weights: how much each row counts, shape (rows,); None weighs all rows equally.
    """
    if weights is not None:
        if kind == "multi":
            losses = functional.binary_cross_entropy_with_logits(scores, truth, reduction="none")
            each = losses.mean(dim=1)
        else:
            each = functional.cross_entropy(scores, truth, reduction="none")
        return float((each * weights).sum() / weights.sum())
    if kind == "multi":
        return float(functional.binary_cross_entropy_with_logits(scores, truth))
    return float(functional.cross_entropy(scores, truth))


def _lowest(
    scores: torch.Tensor, truth: torch.Tensor, kind: Kind, weights: torch.Tensor | None
) -> float:
    """Return the temperature with the lowest log loss, by golden-section search on its logarithm.

    The loss is convex in ``1 / T``, so it has a single minimum.
    """

    def loss(at: float) -> float:
        return log_loss(scores / float(np.exp(at)), truth, kind, weights)

    low, high = np.log(RANGE)
    return float(np.exp(golden_section(loss, low, high, 1e-4)))


def _ece(scores: torch.Tensor, truth: torch.Tensor, kind: Kind, weights: Any) -> float:
    if kind == "multi":
        probabilities = scores.sigmoid().numpy().ravel()
        confidence = np.maximum(probabilities, 1 - probabilities)
        correct = (probabilities >= 0.5) == (truth.numpy().ravel() == 1)
        weights = None if weights is None else np.repeat(weights, scores.shape[1])
    else:
        probabilities = scores.softmax(dim=1).numpy()
        confidence = probabilities.max(axis=1)
        correct = probabilities.argmax(axis=1) == truth.numpy()
    return expected_calibration_error(correct, confidence, weights=weights)
