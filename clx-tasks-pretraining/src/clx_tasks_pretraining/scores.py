"""The kept part of an evaluation's predictions: the loss and the hit of each masked token."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from clx_tasks_pretraining.collating import IGNORED

if TYPE_CHECKING:
    from torch import Tensor


def token_scores(logits: Any, labels: Tensor) -> Tensor:
    """Return the loss of each token in nats, and whether it was predicted, shape (blocks, tokens, 2).

    Both are 0 where no token was masked. The logits themselves would need some ten thousand times the
    memory.
    """
    import torch

    logits = logits[0] if isinstance(logits, tuple) else logits
    masked = labels != IGNORED
    scores = torch.zeros((*labels.shape, 2), dtype=torch.float32, device=logits.device)
    found, true = logits[masked].float(), labels[masked]
    losses = torch.nn.functional.cross_entropy(found, true, reduction="none")
    scores[masked] = torch.stack([losses, (found.argmax(-1) == true).float()], dim=-1)
    return scores


def masked_metrics(scores: Any, labels: Any) -> dict[str, float]:
    """Return ``perplexity`` and ``masked_accuracy`` of all masked tokens.

    The perplexity is the exponential of the mean loss of a masked token (Jelinek et al., 1977).

    Args:
        scores: what :func:`token_scores` returned, shape (blocks, tokens, 2).
        labels: the token ids to predict, shape (blocks, tokens).
    """
    masked = np.asarray(labels) != IGNORED
    kept = np.asarray(scores)[masked].astype(np.float64)
    if not len(kept):
        return {"perplexity": math.nan, "masked_accuracy": math.nan}
    loss, accuracy = kept.mean(axis=0)
    return {"perplexity": float(np.exp(min(loss, 700.0))), "masked_accuracy": float(accuracy)}
