"""SetFit: contrastive fine-tuning on pairs of texts, then a logistic regression."""

from __future__ import annotations

from typing import Any

import exchange
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments


def contend(job: exchange.Job) -> list[Any]:
    """Train with the defaults, changed by the options ("num_iterations")."""
    model = SetFitModel.from_pretrained(
        exchange.base_model(),
        multi_target_strategy="one-vs-rest" if job.multi_label else None,
        device=job.device,
    )
    if job.max_length is not None:
        model.model_body.max_seq_length = job.max_length
    trainer = Trainer(
        model=model,
        args=TrainingArguments(seed=job.seed, max_length=job.max_length, **job.options),
        train_dataset=Dataset.from_dict({"text": job.texts, "label": job.targets()}),
    )
    trainer.train()
    job.trained()
    return job.labels_of(model.predict(job.test, as_numpy=True))


if __name__ == "__main__":
    exchange.answer(contend, "setfit", "sentence-transformers", "transformers", "torch")
