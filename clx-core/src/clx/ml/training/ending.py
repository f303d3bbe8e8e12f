"""The end of a fine-tuning: the epoch that it kept, and the cause if it stopped early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from transformers import EarlyStoppingCallback, Trainer, TrainerCallback

from clx.ml.machine.distributed import is_main_process
from clx.ml.machine.progress import write_message
from clx.ml.results.ending import (
    CALLBACK,
    EARLY_STOPPING,
    END_OF_STREAM,
    TIME_BUDGET,
    end_in_words,
)
from clx.ml.run_directory.marks import step_of
from clx.ml.trainer.callbacks import ProgressBars
from clx.ml.training.time_budget import Budget


class StopAtEnd(TrainerCallback):  # type: ignore[misc]
    """Stops a training on rows that can be read only once; the Trainer would begin them again."""

    reached = False

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set ``control.should_training_stop``."""
        self.reached = control.should_training_stop = True


def kept_epoch(trainer: Trainer) -> float:
    """Return the epoch after which the model was as it is now: the best epoch, or the last one."""
    state = trainer.state
    if not (trainer.args.load_best_model_at_end and state.best_model_checkpoint):
        return round(float(state.epoch or 0), 4)
    best = step_of(state.best_model_checkpoint)
    epochs = [line["epoch"] for line in state.log_history if line.get("step") == best]
    return round(float(epochs[-1] if epochs else state.epoch or 0), 4)


def stopped_by(trainer: Trainer, budget: Budget | None, limited: bool) -> str | None:
    """Return what ended a fine-tuning before its last planned step, None if nothing did.

    Args:
        trainer: the Trainer, after its training.
        budget: the time limit.
        limited: whether the time limit reduced the number of planned steps.
    """
    if trainer.state.global_step < trainer.state.max_steps:
        callbacks = trainer.callback_handler.callbacks
        if any(isinstance(each, StopAtEnd) and each.reached for each in callbacks):
            return END_OF_STREAM
        if any(_is_used_up(patience) for patience in _patience(trainer)):
            return EARLY_STOPPING
        return CALLBACK if budget is None else TIME_BUDGET
    return TIME_BUDGET if limited else None


def tell_ending(trainer: Trainer, results: Mapping[str, Any]) -> None:
    """Write below the bar what ended the training early and which model it kept, if there is a bar.

    Args:
        trainer: the Trainer, after its training.
        results: the entries of the results that ``end_in_words`` takes.
    """
    has_bars = any(isinstance(each, ProgressBars) for each in trainer.callback_handler.callbacks)
    if not has_bars or not is_main_process():
        return
    state = trainer.state
    words = end_in_words(results, state.max_steps, round(float(state.epoch or 0), 4))
    if words is not None:
        write_message(f"train: {words}")


def _patience(trainer: Trainer) -> Iterator[Mapping[str, Any]]:
    """Yield the state of each callback that stops early, including callbacks of a restored training."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, EarlyStoppingCallback):
            yield callback.state()
    for saved in trainer.state.stateful_callbacks.values():
        yield from saved if isinstance(saved, list) else [saved]


def _is_used_up(state: Mapping[str, Any]) -> bool:
    limit = state.get("args", {}).get("early_stopping_patience")
    count = state.get("attributes", {}).get("early_stopping_patience_counter")
    return limit is not None and count is not None and bool(count >= limit)
