"""Callbacks of every Trainer that clx makes: progress bars, and freed memory for the system."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

from transformers import ProgressCallback, TrainerCallback
from transformers.integrations import TensorBoardCallback
from transformers.trainer import DEFAULT_PROGRESS_CALLBACK
from transformers.trainer_callback import PrinterCallback

from clx.ml.machine.progress import progress_bar

SHOWN = ("eval_accuracy", "eval_f1_macro", "eval_f1_micro", "loss", "eval_loss")
"""The numbers to show next to the bar, if the log has them, after the metric that chooses the model."""

EVERY = 10
"""Training steps, or evaluation batches, between two calls of :func:`trim_heap`."""


class ProgressBars(ProgressCallback):  # type: ignore[misc]
    """One bar on stderr for the training, with its loss and last evaluation, and one for predictions.

    The base class, in contrast, writes a line to stdout at each logging step. stdout is for data.

    Args:
        description: the text before the bar of predictions.
    """

    training_bar: Any
    prediction_bar: Any

    def __init__(self, description: str) -> None:
        super().__init__()
        self.description = description
        self._names: tuple[str, ...] = SHOWN
        self._shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar, at the step where a resumed training continues."""
        self.current_step = state.global_step
        chosen_by = args.metric_for_best_model
        if chosen_by is not None:
            chosen_by = f"eval_{chosen_by.removeprefix('eval_')}"
        self._names = SHOWN if chosen_by is None else tuple(dict.fromkeys((chosen_by, *SHOWN)))
        self._shown = {}
        if state.is_world_process_zero:
            self.training_bar = progress_bar(
                total=state.max_steps, initial=state.global_step, desc="train", unit="steps"
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the newest loss and evaluation."""
        found = {key: (logs or {}).get(key) for key in self._names}
        new = {key: f"{v:.4g}" for key, v in found.items() if isinstance(v, int | float)}
        if self.training_bar is not None and new:
            self._shown |= new
            shown = {key: self._shown[key] for key in self._names if key in self._shown}
            # Only the loss has two values.
            titles = {
                key: key if key == "eval_loss" else key.removeprefix("eval_") for key in shown
            }
            self.training_bar.set_postfix({titles[key]: value for key, value in shown.items()})

    def on_prediction_step(
        self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **kwargs: Any
    ) -> None:
        """Advance the bar of predictions, which appears if they take longer than a second."""
        if state.is_world_process_zero and self.prediction_bar is None:
            self.prediction_bar = progress_bar(
                total=len(eval_dataloader),
                desc=self.description,
                unit="batches",
                leave=self.training_bar is None,
                delay=1,
            )
        super().on_prediction_step(args, state, control, eval_dataloader, **kwargs)


def use_our_progress(trainer: Any, description: str, disable: bool | None) -> None:
    """Replace the Trainer's progress callback with :class:`ProgressBars`, or none if ``disable``."""
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(DEFAULT_PROGRESS_CALLBACK)
    if not disable:
        trainer.add_callback(ProgressBars(description))


def report_into(trainer: Any, folder: Path) -> None:
    """Let TensorBoard write its events into a folder, unless ``TENSORBOARD_LOGGING_DIR`` is set.

    By default they are in the Trainer's output folder, which is removed at the end of a training.
    """
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)


class TrimHeap(TrainerCallback):  # type: ignore[misc]
    """Gives unused memory back to the system while a model runs on a CPU.

    Batches of many lengths fragment the heap of glibc, which then keeps freed memory for itself
    (docs/background/performance.md has measurements).
    """

    def __init__(self) -> None:
        self.batches = 0

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Count a training step."""
        self._count()

    def on_prediction_step(self, *args: Any, **kwargs: Any) -> None:
        """Count an evaluation batch."""
        self._count()

    def _count(self) -> None:
        self.batches += 1
        if self.batches % EVERY == 0:
            trim_heap()


def trim_heap() -> None:
    """Give freed memory back to the system if the C library can: ``malloc_trim`` of glibc."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
