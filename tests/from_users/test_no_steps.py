"""A user trained 3 rows with ``dataloader_drop_last=True``: no step, "success", a random head."""

import json

import pytest
import torch
from transformers import Trainer

from clx.errors import ConfigError, TrainingError
from clx.ml import training_run
from clx.ml.training.defaults import Setting, choose_arguments
from conftest import fruit_frame


def make(model, **arguments):
    return training_run(
        "classification",
        "small",
        base_model_name=model,
        head_init="random",
        training_args={"disable_tqdm": True, **arguments},
    )


@pytest.mark.parametrize("limit", [{}, {"max_steps": 5}])
def test_fewer_rows_than_a_batch_are_refused_if_incomplete_ones_are_dropped(tiny_model, limit):
    run = make(tiny_model, dataloader_drop_last=True, **limit)
    with pytest.raises(ConfigError, match=r"3 rows do not fill a batch of 16"):
        run.train(fruit_frame(3))
    assert not run.run_dir.exists()


def test_steps_are_counted_without_the_dropped_batch():
    user = {"dataloader_drop_last": True, "num_train_epochs": 10}
    chosen = choose_arguments(user, Setting(47, has_eval=False))
    assert chosen["warmup_steps"] == 2


def test_no_row_is_left_out_of_an_evaluation(tiny_model):
    run = make(tiny_model, dataloader_drop_last=True, max_steps=1, per_device_eval_batch_size=8)
    eval_data = fruit_frame(11)
    run.train(fruit_frame(16), eval_data)
    lines = (run.run_dir / "logs/metrics.jsonl").read_text().splitlines()
    during = [json.loads(line)["eval_accuracy"] for line in lines if "eval_accuracy" in line]
    assert round(during[0] * 11, 6) == round(during[0] * 11)
    assert during[0] == pytest.approx(run.results["metrics"]["accuracy"])


class NoBatches(Trainer):
    """Trains on batches of more rows than there are."""

    def get_train_dataloader(self):
        return torch.utils.data.DataLoader(
            self.train_dataset, 999, collate_fn=self.data_collator, drop_last=True
        )


def test_a_fine_tuning_without_a_step_publishes_nothing(tiny_model, fruit, monkeypatch):
    run = make(tiny_model, max_steps=3)
    monkeypatch.setattr(type(run), "trainer_class", NoBatches)
    with pytest.raises(TrainingError, match=r"took no step.*not published"):
        run.train(fruit)
    assert not run.run_dir.exists()


@pytest.mark.parametrize("arguments", [{"learning_rate": 0.0}, {"warmup_steps": 1}])
def test_a_random_head_that_learned_nothing_is_not_published(tiny_model, fruit, arguments):
    run = make(tiny_model, max_steps=1, **arguments)
    with pytest.raises(TrainingError, match="all with a learning rate of 0"):
        run.train(fruit)
    assert not run.run_dir.exists()


def test_a_single_step_has_a_learning_rate(tiny_model):
    assert choose_arguments({"max_steps": 1}, Setting(100, False))["warmup_steps"] == 0
    assert choose_arguments({"num_train_epochs": 1}, Setting(3, False))["warmup_steps"] == 0
    make(tiny_model, max_steps=1).train(fruit_frame(8))
