"""Somebody checked a masked language model: 12 checks failed, because no sample text had a mask."""

import pytest
from transformers import DataCollatorWithPadding, Trainer

from honest_tasks import MaskedRun, PretrainingRun
from kit_runs import IN_PROCESSES, SLOW, found_by, not_passed, results

PREDICTIONS = [
    "order_and_batches", "asked_again", "odd_texts", "json_values", "frames", "types",
    "moved_and_reopened",
]  # fmt: skip


def test_a_masked_language_model_passes():
    assert not_passed(results(MaskedRun)) == {}


def test_one_that_never_predicts_passes_and_its_predictions_are_skipped():
    found = results(PretrainingRun, leave_out=IN_PROCESSES)
    skipped = {"predicts", *PREDICTIONS} - {"moved_and_reopened"}
    assert not_passed(found) == dict.fromkeys(skipped, "skipped")
    assert {found[name].saw for name in skipped} == {"this task does not predict"}


class WithoutInputs(MaskedRun):
    @classmethod
    def sample_inputs(cls):
        return None


def test_texts_that_cannot_be_predicted_on_are_one_failure():
    # This file is no author's: it may import what it likes.
    found = results(WithoutInputs, leave_out=(*SLOW, "public_names"), steps=12)
    (report,) = (result for result in found.values() if result.outcome == "failed")
    assert report.name == "predicts"
    assert "Each text needs at least one [MASK]" in report.saw
    assert list(report.hides) == PREDICTIONS
    assert f"Also hides:       {', '.join(PREDICTIONS)}" in str(report)
    # The base's methods are no place to mend anything.
    assert "WithoutInputs.sample_inputs" in report.where
    assert "post_process_prediction" not in report.where
    assert {found[name].outcome for name in PREDICTIONS if name in found} == {"skipped"}


class OneInput(MaskedRun):
    @classmethod
    def sample_inputs(cls):
        return "the [MASK]"


class Restless(Trainer):
    made = 0

    def create_optimizer(self, *args):
        # A count, not chance: two trainings never learn at the same rate.
        Restless.made += 1
        optimizer = super().create_optimizer(*args)
        for group in optimizer.param_groups:
            group["lr"] *= Restless.made
        return optimizer


class Resumed(PretrainingRun):
    trainer_class = Restless


class OwnLoss(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, **kwargs):
        outputs = model(**inputs)
        loss = outputs.logits.pow(2).mean()
        return (loss, outputs) if return_outputs else loss


class WithoutLabelsOrNeed(PretrainingRun):
    trainer_class = OwnLoss

    def load_data_collator(self):
        return DataCollatorWithPadding(self.tokenizer)


class WithoutLabels(MaskedRun):
    def load_data_collator(self):
        return DataCollatorWithPadding(self.tokenizer)


@pytest.mark.parametrize(
    ("task", "check", "said"),
    [
        (OneInput, "sample_texts", "sample_inputs() must return a list of at least two texts"),
        (WithoutLabels, "learns", ""),
    ],
)
def test_the_kit_finds(task, check, said):
    result = found_by(task, check)
    assert result.outcome == "failed", result
    assert said in result.saw


def test_the_kit_compares_weights_if_a_task_does_not_predict():
    result = found_by(Resumed, "resumes", steps=8)
    assert result.outcome == "failed", result
    assert "is different after resuming" in result.saw


def test_a_loss_without_labels_on_eval_data_is_a_warning():
    result = found_by(WithoutLabelsOrNeed, "learns", steps=12)
    assert result.outcome == "warned", result
    assert "label_names" in result.saw
