"""Binary cross-entropy against a similarity from 0 to 1, as in sentence-transformers."""

import torch
from transformers import Trainer


class PairTrainer(Trainer):
    """A Trainer whose loss treats similarities as probabilities."""

    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        """Return the mean loss of a batch."""
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        logits = outputs.logits.reshape(-1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        return (loss, outputs) if return_outputs else loss
