"""Progress bars on stderr: ours instead of the several that transformers shows."""

from __future__ import annotations

from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback
from transformers.trainer import DEFAULT_PROGRESS_CALLBACK
from transformers.trainer_callback import PrinterCallback

SHOWN = ("loss", "eval_loss", "eval_accuracy", "eval_f1_macro", "eval_f1_micro")


class Progress(TrainerCallback):  # type: ignore[misc]
    """One bar for the training, with its loss and the last evaluation, and one for predictions.

    The Trainer's own callback writes a line a logging step to stdout, where data belongs.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._bar: Any = None
        self._predictions: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar where a resumed training goes on."""
        if state.is_world_process_zero:
            self._bar = tqdm(
                total=state.max_steps, initial=state.global_step, desc="train", unit="step"
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Advance to the step that was done."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the newest loss and evaluation."""
        shown = {key: f"{logs[key]:.4g}" for key in SHOWN if key in (logs or {})}
        if self._bar is not None and shown:
            self._bar.set_postfix({**_postfix(self._bar), **shown})

    def on_prediction_step(
        self, args: Any, state: Any, control: Any, eval_dataloader: Any = None, **kwargs: Any
    ) -> None:
        """Advance the bar of predictions, which is shown when they take longer than a second."""
        if not state.is_world_process_zero:
            return
        if self._predictions is None:
            self._predictions = tqdm(
                total=len(eval_dataloader),
                desc=self.description,
                unit="batch",
                leave=self._bar is None,
                delay=1,
            )
        self._predictions.update(1)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar of predictions."""
        if self._predictions is not None:
            self._predictions.close()
        self._predictions = None

    def on_predict(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar of predictions."""
        self.on_evaluate(args, state, control)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


def _postfix(bar: Any) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in (bar.postfix or "").split(", ") if "=" in part)
    return dict(pairs)


def use_our_progress(trainer: Any, description: str, disable: bool | None) -> None:
    """Replace the Trainer's progress callback by :class:`Progress`, or by nothing if ``disable``."""
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(DEFAULT_PROGRESS_CALLBACK)
    if not disable:
        trainer.add_callback(Progress(description))
