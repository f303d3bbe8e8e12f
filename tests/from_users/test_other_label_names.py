"""Somebody's loss read start_positions and end_positions, and the kit demanded labels."""

import pandas as pd
import pytest
from transformers import AutoModelForQuestionAnswering, Trainer

from honest_tasks import WORDS, OfTexts
from kit_runs import found_by


class Answers(OfTexts):
    name = "honest-answers"
    dataset_cols = ["input_ids", "attention_mask", "start_positions", "end_positions"]

    @classmethod
    def sample_data(cls):
        return pd.DataFrame({"text": WORDS})

    def load_model(self, model_name=None):
        return AutoModelForQuestionAnswering.from_pretrained(model_name, **self.model_args)

    def tokenize(self, examples):
        ones = [1] * len(examples["text"])
        return {**super().tokenize(examples), "start_positions": ones, "end_positions": ones}


class WithoutEnds(Answers):
    dataset_cols = ["input_ids", "attention_mask"]


class RenamingTrainer(Trainer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.label_names = ["begins", "end_positions"]

    def compute_loss(self, model, inputs, **kwargs):
        inputs = {("start_positions" if k == "begins" else k): v for k, v in inputs.items()}
        return super().compute_loss(model, inputs, **kwargs)


class Renamed(Answers):
    dataset_cols = ["input_ids", "attention_mask", "begins", "end_positions"]
    trainer_class = RenamingTrainer

    def tokenize(self, examples):
        found = super().tokenize(examples)
        found["begins"] = found.pop("start_positions")
        return found


@pytest.mark.parametrize("task", [Answers, Renamed])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_labels_of_any_name_pass(task):
    result = found_by(task, "labels")
    assert result.outcome == "passed", result


def test_a_stock_loss_without_its_labels_is_found():
    result = found_by(WithoutEnds, "learns")
    assert result.outcome == "failed", result
