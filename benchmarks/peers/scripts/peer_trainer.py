"""The plain script around Hugging Face's Trainer, with the defaults of TrainingArguments."""

from __future__ import annotations

from typing import Any

import exchange
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Trainer,
    TrainingArguments,
    set_seed,
)


def contend(job: exchange.Job) -> list[Any]:
    """Fine-tune: 3 epochs, learning rate 5e-5, batches of 8, as the installed release has it."""
    set_seed(job.seed)
    folder = exchange.base_model()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def tokenize(batch: dict[str, list[str]]) -> Any:
        return tokenizer(batch["text"], truncation=True, max_length=job.max_length)

    targets = job.targets()
    if job.multi_label:
        targets = [[float(x) for x in row] for row in targets]
    train = Dataset.from_dict({"text": job.texts, "label": targets}).map(tokenize, batched=True)
    test = Dataset.from_dict({"text": job.test}).map(tokenize, batched=True)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder,
        num_labels=len(job.names),
        problem_type="multi_label_classification" if job.multi_label else None,
    )
    trainer = Trainer(
        model=model,
        args=TrainingArguments(output_dir="trainer", seed=job.seed, use_cpu=job.device == "cpu"),
        train_dataset=train,
        processing_class=tokenizer,
    )
    trainer.train()
    job.trained()
    logits = trainer.predict(test).predictions
    # A sigmoid of 0.5 is a logit of 0.
    return job.labels_of(logits > 0 if job.multi_label else logits.argmax(axis=1))


if __name__ == "__main__":
    exchange.answer(contend, "transformers", "torch")
