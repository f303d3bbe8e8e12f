"""The scores of some texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Scored:
    """The scores of some texts.

    Attributes:
        scores: shape (texts, labels), in the order of the model's labels.
        truncated: whether each text was truncated, shape (texts,).
        tokens: how many tokens of each text the model read, shape (texts,).
        answered_by: who answered each text of a cascade, None for other models.
    """

    scores: np.ndarray[Any, Any]
    truncated: list[bool]
    tokens: list[int]
    answered_by: list[str] | None = None
