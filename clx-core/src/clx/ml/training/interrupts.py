"""Ctrl-C during a training: the first stops it, resumable, after the step; the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback

from clx.ml.machine.progress import write_message

NOTE = (
    "clx: stopping after this step, so that the training can be resumed; press Ctrl-C again to stop "
    "now"
)


class StopOnInterrupt(TrainerCallback):  # type: ignore[misc]
    """Save a checkpoint and stop the training after the step during which Ctrl-C was pressed.

    Attributes:
        asked: whether Ctrl-C was pressed.
        stopped: where the training stopped, such as ``"step 7 of 50"``; None if it did not.
    """

    def __init__(self) -> None:
        self.asked = False
        self.stopped: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle Ctrl-C while the block runs; do nothing outside the main thread.

        Raises:
            KeyboardInterrupt: at the end of the block, if the training was stopped.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.default_int_handler:
            # The program has its own handler, which stays in place.
            yield
            return

        def ask(number: int, frame: FrameType | None) -> None:
            self.asked = True
            signal.signal(signal.SIGINT, before)
            write_message(NOTE)

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        # A training that had already taken its last step is complete and is published.
        if self.stopped:
            raise KeyboardInterrupt(
                f"The training was interrupted after {self.stopped}. To continue from there, repeat "
                f"the train(...) call with resume=True"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Request a checkpoint and the end of the training if Ctrl-C was pressed."""
        if self.asked:
            self.stopped = f"step {state.global_step} of {state.max_steps}"
            control.should_save = control.should_training_stop = True
