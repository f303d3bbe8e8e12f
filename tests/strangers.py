"""Tasks as plugin authors write them, from the smallest to one that overrides everything."""

import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
)

from clx.ml import TrainingRun

NAMES = ["animal", "fruit"]
calls = []


class Minimal(TrainingRun):
    name = "minimal"
    pipeline_args = {"task": "text-classification"}

    def validate_data_format(self, data):
        if not {"text", "label"} <= set(data.columns):
            raise ValueError(f"columns are {list(data.columns)}")

    def load_model(self, model_name=None):
        return AutoModelForSequenceClassification.from_pretrained(model_name, **self.model_args)

    def tokenize(self, examples):
        labels = [NAMES.index(label) for label in examples["label"]]
        return {**self.tokenizer(examples["text"], truncation=True), "labels": labels}


class CountingTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        calls.append("compute_loss")
        outputs = model(**inputs)
        loss = torch.nn.functional.cross_entropy(outputs.logits, inputs["labels"])
        return (loss, outputs) if return_outputs else loss


class Full(Minimal):
    """My training run."""

    name = "my-custom-task"
    dataset_cols = ["input_ids", "attention_mask", "token_type_ids", "labels"]
    add_config_attrs = ["my-config-attr", "other_attr"]
    predict_args = {"top_k": None}
    trainer_class = CountingTrainer

    def __init__(self, *args, my_config_attr=3, other_attr=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.my_config_attr = my_config_attr
        self.other_attr = other_attr

    def compute_metrics(self, eval_pred):
        predictions, label_ids = eval_pred
        return {"hits": (predictions.argmax(axis=1) == label_ids).mean()}

    def load_tokenizer(self, tokenizer_name=None):
        calls.append("load_tokenizer")
        return AutoTokenizer.from_pretrained(tokenizer_name)

    def load_data_collator(self):
        calls.append("load_data_collator")
        return DataCollatorWithPadding(self.tokenizer, pad_to_multiple_of=8)

    def post_process_prediction(self, prediction):
        return {NAMES[int(entry["label"][-1])]: entry["score"] for entry in prediction}


class Numbers(Minimal):
    name = "numbers"
    head_init = "probe"

    def load_model(self, model_name=None):
        return AutoModelForSequenceClassification.from_pretrained(
            model_name, num_labels=1, problem_type="regression"
        )

    def tokenize(self, examples):
        rows = self.tokenizer(examples["text"], truncation=True)
        return {**rows, "labels": [float(len(text)) for text in examples["text"]]}
