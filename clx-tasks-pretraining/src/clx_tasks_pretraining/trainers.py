"""The Trainers of both tasks."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import Trainer


class MaskingTrainer(Trainer):  # type: ignore[misc]
    """Masks anew in each epoch, and the same way in each evaluation."""

    training_run: Any
    data_collator: Any

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Return the batches of an evaluation, whose masks do not change."""
        return self._repeatable(super().get_eval_dataloader, eval_dataset)

    def get_test_dataloader(self, test_dataset: Any) -> Any:
        """Return the batches of a prediction, whose masks do not change."""
        return self._repeatable(super().get_test_dataloader, test_dataset)

    def _repeatable(self, make: Any, dataset: Any) -> Any:
        collator = self.data_collator
        if hasattr(collator, "repeatable"):
            self.data_collator = collator.repeatable()
        try:
            return make(dataset)
        finally:
            self.data_collator = collator


class DistillingTrainer(MaskingTrainer):
    """Adds to the loss how far the student's predictions are from the teacher's.

    The loss is that of DistilBERT (Sanh et al., 2019): the divergence of the predictions at a
    temperature, times its square (Hinton et al., 2015), the loss of the masked tokens, and one minus
    the cosine of the last hidden states, where both models have the same width.
    """

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss, and the student's logits if asked for.

        In an evaluation it is the loss of the masked tokens alone, which a saved run has too.
        """
        run = self.training_run
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs)
        teacher = run.teacher.to(model.device)
        width = teacher.config.hidden_size == model.config.hidden_size
        wants_states = run.hidden_weight > 0 and width
        student = model(**inputs, output_hidden_states=wants_states)
        with torch.inference_mode():
            asked = {name: value for name, value in inputs.items() if name != "labels"}
            told = teacher(**asked, output_hidden_states=wants_states)
        read = inputs["attention_mask"].bool()
        loss = run.masking_weight * student.loss
        loss = loss + run.teacher_weight * _divergence(
            student.logits[read], told.logits[read], run.temperature
        )
        if wants_states:
            own, theirs = student.hidden_states[-1][read], told.hidden_states[-1][read].clone()
            loss = loss + run.hidden_weight * (1 - functional.cosine_similarity(own, theirs)).mean()
        return (loss, {"loss": loss, "logits": student.logits}) if return_outputs else loss


def _divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the mean divergence of the student's predictions from the teacher's, in nats."""
    own = functional.log_softmax(student.float() / temperature, dim=-1)
    theirs = functional.log_softmax(teacher.float() / temperature, dim=-1).clone()
    return functional.kl_div(own, theirs, log_target=True, reduction="batchmean") * temperature**2
