"""Refuse a fine-tuning that changed nothing: no step, or only steps at a learning rate of 0.

The Trainer of transformers reports both as a success, and clx would publish a random head.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from clx.errors import TrainingError


class HighestRate(TrainerCallback):  # type: ignore[misc]
    """Record the highest learning rate of all steps.

    Attributes:
        rate: the rate, None if no step was taken.
    """

    def __init__(self) -> None:
        self.rate: float | None = None

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Record the rates of this step."""
        groups = getattr(kwargs.get("optimizer"), "param_groups", ())
        rates = [float(group["lr"]) for group in groups if "lr" in group]
        self.rate = max([*rates, *([] if self.rate is None else [self.rate])], default=None)


def refuse_untrained(trainer: Any, highest: HighestRate, has_probe: bool) -> None:
    """Refuse a model that its fine-tuning did not change.

    Args:
        trainer: the Trainer, after its training.
        highest: the callback that recorded the learning rates.
        has_probe: whether the head was trained before the fine-tuning.

    Raises:
        TrainingError: the fine-tuning took no step, or only steps without an effect on a random head.
    """
    args = trainer.args
    if not trainer.state.global_step:
        reason, remedy = "took no step", "Check for callbacks that stop it and for dropped batches."
    elif highest.rate == 0 and not has_probe:
        reason = f"took {trainer.state.global_step} step(s), all with a learning rate of 0"
        remedy = (
            f"Set learning_rate (now {args.learning_rate:g}) above 0, and warmup_steps (now "
            f"{args.warmup_steps:g}) below the number of steps: the first step of a warm-up has a "
            f"rate of 0."
        )
    else:
        return
    raise TrainingError(
        f"The fine-tuning {reason}, so the model is not trained and not published. {remedy} An earlier "
        f"run of this name is unchanged."
    )
