"""When a training ends, and by what the best model is chosen."""

import pytest
from transformers import EarlyStoppingCallback, TrainerCallback

from clx.errors import PluginError
from clx.ml import task_registry, training_run
from conftest import fruit_frame

STILL = {"disable_tqdm": True, "learning_rate": 0.0, "num_train_epochs": 7}


class Arguments(TrainerCallback):
    """Keeps what the Trainer was given."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.seen = args


def make(model, name, **arguments):
    return training_run(
        "classification", name, base_model_name=model, training_args={**STILL, **arguments}
    )


def test_three_evaluations_without_a_better_one_end_it(tiny_model, fruit):
    # Nothing is learnt: the first evaluation is the best.
    run = make(tiny_model, "still")
    assert run.train(fruit, fruit_frame(12)).epochs == pytest.approx(4)


def test_without_eval_data_all_steps_are_made(tiny_model, fruit):
    assert make(tiny_model, "all").train(fruit).epochs == pytest.approx(7)


def test_not_keeping_the_best_model_turns_it_off(tiny_model, fruit):
    run = make(tiny_model, "off", load_best_model_at_end=False)
    assert run.train(fruit, fruit_frame(12)).epochs == pytest.approx(7)


def test_a_rule_of_the_users_own_is_the_only_one(tiny_model, fruit):
    run = make(tiny_model, "own")
    callbacks = [EarlyStoppingCallback(early_stopping_patience=1)]
    assert run.train(fruit, fruit_frame(12), callbacks=callbacks).epochs == pytest.approx(2)


class Patient(task_registry["classification"]):
    name = "patient"
    min_steps = 12
    head_init = "random"


def test_a_task_says_how_many_steps_few_rows_take_at_least(tiny_model, fruit):
    run = Patient("many", base_model_name=tiny_model, training_args={"disable_tqdm": True})
    assert run.train(fruit.head(20)).steps == 12
    with pytest.raises(PluginError, match="min_steps must be a whole number above 0, but is 'many'"):
        task_registry.register(type("Wrong", (Patient,), {"name": "wrong", "min_steps": "many"}))


@pytest.mark.parametrize(("fruits", "metric"), [(20, "loss"), (4, "f1_macro")])
def test_imbalanced_labels_are_judged_by_macro_f1(fruits, metric, tiny_model, fruit):
    is_fruit = fruit["label"] == "fruit"
    rows = fruit[~is_fruit | (is_fruit & (is_fruit.cumsum() <= fruits))]
    arguments = Arguments()
    run = make(tiny_model, "judged", num_train_epochs=1)
    run.train(rows, fruit_frame(12), callbacks=[arguments])
    assert arguments.seen.metric_for_best_model == metric
    assert arguments.seen.greater_is_better is (metric == "f1_macro")
