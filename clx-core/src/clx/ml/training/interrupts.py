"""Ctrl-C during a training: once stops after the step and keeps what can be resumed, twice at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback

NOTE = "clx: stopping after this step, so that it can be resumed; Ctrl-C again stops at once"


class StopOnInterrupt(TrainerCallback):  # type: ignore[misc]
    """Stops a training after the step in which Ctrl-C came, with a checkpoint.

    Attributes:
        asked: whether Ctrl-C came.
        stopped: ``"step 7 of 50"`` when it stopped the training.
    """

    def __init__(self) -> None:
        self.asked = False
        self.stopped: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C while the block runs; elsewhere than in the main thread do nothing.

        Raises:
            KeyboardInterrupt: at the end of the block, when the training was stopped.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.default_int_handler:
            # Whoever took the signal has a plan of their own.
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:
            self.asked = True
            signal.signal(signal.SIGINT, before)
            tqdm.write(NOTE, file=sys.stderr)

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        # One that had taken its last step already is complete, and is kept.
        if self.stopped:
            raise KeyboardInterrupt(
                f"The training was interrupted after {self.stopped}. To go on from there: the same "
                f"train(...) with resume=True"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for a checkpoint and the end when Ctrl-C came."""
        if self.asked:
            self.stopped = f"step {state.global_step} of {state.max_steps}"
            control.should_save = control.should_training_stop = True
