"""The outputs of a loaded model for some texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from clx_runtime.settings import Settings

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Read:
    """What a model says about some texts, in order.

    Attributes:
        logits: shape (texts, labels).
        truncated: whether each text was truncated.
        tokens: how many tokens of each text the model read.
        answered_by: who answered each text of a cascade, None for other models.
    """

    logits: np.ndarray[Any, Any]
    truncated: list[bool]
    tokens: list[int]
    answered_by: list[str] | None = None


class LoadedModel(Protocol):
    """A loaded model: an exported one, or a static student.

    Attributes:
        settings: the settings of the run.
        device: the kind of device, such as ``cpu``.
    """

    settings: Settings

    @property
    def device(self) -> str:
        """The kind of device, such as ``cpu``."""

    def window(self, batch_size: int | None) -> int:
        """Return how many texts to pass at once."""

    def read(self, texts: Sequence[str], batch_size: int | None = None) -> Read:
        """Return what the model says about texts.

        Args:
            texts: the texts; a row of several is a :class:`clx_runtime.texts.TextRow`.
            batch_size: texts per batch; None leaves it to the model.
        """
