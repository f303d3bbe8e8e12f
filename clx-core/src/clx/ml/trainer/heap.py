"""Memory that was freed and that the C library keeps, while a model runs on a CPU."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from transformers import TrainerCallback

EVERY = 10
"""Steps, or batches of an evaluation, between two times of giving memory back."""


class GiveBack(TrainerCallback):  # type: ignore[misc]
    """Gives memory back to the system that nothing uses any more.

    Batches of many lengths leave glibc's heap in pieces, which it keeps beside
    what is in use (docs/performance.md).
    """

    def __init__(self) -> None:
        self.batches = 0

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Give back after a step of a training."""
        self._after_a_batch()

    def on_prediction_step(self, *args: Any, **kwargs: Any) -> None:
        """Give back after a batch of an evaluation."""
        self._after_a_batch()

    def _after_a_batch(self) -> None:
        self.batches += 1
        if self.batches % EVERY == 0:
            give_back()


def give_back() -> None:
    """Give freed memory back, where the C library can: glibc's ``malloc_trim``."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
