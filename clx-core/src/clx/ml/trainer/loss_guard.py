"""Stop training at once when the loss is NaN or infinite, and name the likely causes.

The Trainer of transformers continues: it logs ``loss: 0.0`` and saves a model whose weights are NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.errors import TrainingError
from clx.ml.machine.finite import not_finite
from clx.problems import examples, report

if TYPE_CHECKING:
    from transformers import Trainer

HIGH_LEARNING_RATE = 1e-3
"""Transformers are fine-tuned with smaller learning rates."""


class GuardedLoss:
    """Mixed into a task's Trainer."""

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Return the loss of a training step.

        Raises:
            TrainingError: the loss is NaN or infinite.
        """
        import torch

        loss = super().training_step(*args, **kwargs)  # type: ignore[misc]
        if not torch.isfinite(loss).all():
            raise _diverged(self, f"The loss is {float(loss.mean())}", loss_of_step=True)
        return loss


def refuse_not_finite(trainer: Any) -> None:
    """Refuse a model with weights that are NaN or infinite, as the last step may have left them.

    Raises:
        TrainingError: the model has such weights.
    """
    bad = not_finite(trainer.accelerator.unwrap_model(trainer.model))
    if bad:
        raise _diverged(trainer, f"The weights {examples(bad)} are not finite numbers")


def _diverged(trainer: Any, what: str, loss_of_step: bool = False) -> TrainingError:
    state = trainer.state
    step = state.global_step + loss_of_step
    return TrainingError(
        report(
            f"{what} at step {step} of {state.max_steps}. Training was stopped, and its model is not "
            f"kept. Likely causes:",
            _causes(trainer, step),
            "An earlier run of this name is unchanged.",
        )
    )


def _causes(trainer: Trainer, step: int) -> list[str]:
    args, causes = trainer.args, []
    if args.learning_rate > HIGH_LEARNING_RATE:
        causes.append(
            f"learning_rate {args.learning_rate:g} is high (2e-5 to 2e-4 is usual): try a tenth of it"
        )
    if args.fp16:
        causes.append("fp16=True overflows at 65504: leave it out, or use bf16=True")
    if not args.max_grad_norm:
        causes.append("max_grad_norm 0 does not clip any gradient: leave it out")
    if step <= 1 and not_finite(trainer.model):
        causes.append(
            "the base model has weights that are not finite numbers: use another copy of it"
        )
    if any("compute_loss" in vars(cls) for cls in type(trainer).__mro__[:-1] if _is_a_tasks(cls)):
        causes.append(
            f"the loss is {type(trainer).__name__}'s own: look for a logarithm of 0 or a division by 0"
        )
    if not causes:
        causes.append(
            f"the learning rate ({args.learning_rate:g}) may be too high for this model and batch size"
        )
        causes.append("labels or class weights may not be finite numbers")
    return causes


def _is_a_tasks(cls: type) -> bool:
    return not cls.__module__.startswith(("transformers", "clx.", "builtins"))
