"""A user set ``metric_for_best_model="ece"``: the worst model was kept, and training stopped early."""

import warnings

import numpy as np
import pytest
from transformers import TrainerCallback

from clx.errors import ClxWarning, ConfigError
from clx.ml import training_run
from clx.ml.evaluate_metrics import OUR_METRICS
from clx.ml.metrics import classification_metrics, higher_is_better
from clx.ml.multilabel_metrics import multilabel_metrics
from clx.ml.spans import tag_metrics
from clx.ml.training.defaults import Setting, choose_arguments
from conftest import fruit_frame

EVAL = Setting(100, has_eval=True)
LOWER = {"ece", "log_loss"}


class Watch(TrainerCallback):
    """Counts steps, and keeps the evaluations and the best value."""

    steps = 0

    def on_step_begin(self, args, state, control, **kwargs):
        self.steps += 1

    def on_train_end(self, args, state, control, **kwargs):
        self.best = state.best_metric
        self.values = [line["eval_ece"] for line in state.log_history if "eval_ece" in line]


def make(model, metrics=None, **arguments):
    arguments = {"disable_tqdm": True, "num_train_epochs": 3, "learning_rate": 1e-2, **arguments}
    return training_run(
        "classification",
        "run",
        base_model_name=model,
        head_init="random",
        metrics=metrics,
        training_args=arguments,
    )


def test_the_model_with_the_lowest_ece_is_kept(tiny_model, fruit):
    watch = Watch()
    run = make(tiny_model, metric_for_best_model="ece", eval_strategy="epoch")
    run.train(fruit, fruit_frame(12), callbacks=[watch])
    assert len(set(watch.values)) > 1
    assert watch.best == min(watch.values)


def test_a_metric_that_the_task_does_not_have_is_refused_before_the_first_step(tiny_model, fruit):
    watch = Watch()
    run = make(tiny_model, metric_for_best_model="f1")
    with pytest.raises(ConfigError) as caught:
        run.train(fruit, fruit_frame(12), callbacks=[watch])
    for said in ("'f1'", "accuracy", "f1_macro", "log_loss", "ece"):
        assert said in str(caught.value)
    assert "runtime" not in str(caught.value)
    assert watch.steps == 0
    assert not run.run_dir.exists()


class FruitRecall:
    """A metric that only exists where fruit is among the rows."""

    name = "fruit_recall"

    def compute(self, predictions, references):
        return {"fruit_recall": 1.0} if len(references) == 150 else {}


def test_a_metric_of_all_rows_only_is_found(tiny_model, fruit):
    metrics, name = [FruitRecall()], "eval_fruit_recall"
    run = make(tiny_model, metrics=metrics, metric_for_best_model=name, max_steps=1)
    assert run.train(fruit, fruit_frame(150)).metrics["fruit_recall"] == 1


# ---- Directions ------------------------------------------------------------------------------------


def test_clx_knows_the_direction_of_all_its_metrics():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (9, 3))
    keys = {
        *OUR_METRICS,
        *classification_metrics(truth[:, 0], rng.normal(size=(9, 2))),
        *multilabel_metrics(truth, rng.random((9, 3)), 0.5),
        *tag_metrics([["B-a"]], [["B-a"]]),
        *("coverage", "selective_accuracy"),
    }
    assert {key for key in keys if higher_is_better(key) is None} == set()
    assert {key for key in keys if not higher_is_better(key)} == LOWER
    assert len(keys) > 15


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        ("eval_ece", False),
        ("eval_loss", False),
        ("ece_fruit", False),
        ("brier", False),
        ("mean_absolute_error", False),
        ("rmse", False),
        ("f1_error", True),
        ("PER_f1", True),
        ("eval_span_f1_macro", True),
        ("precision_loss", True),
        ("spearman", True),
        ("mistakes", None),
        ("decency", None),
    ],
)
def test_names_with_a_prefix_or_a_label(name, higher):
    assert higher_is_better(name) is higher


@pytest.mark.parametrize(
    ("metric", "higher"), [("ece", False), ("eval_log_loss", False), ("f1", True)]
)
def test_the_direction_is_set(metric, higher):
    chosen = choose_arguments({"metric_for_best_model": metric}, EVAL)
    assert chosen["greater_is_better"] is higher


def test_what_is_assumed_of_other_metrics_is_said():
    with pytest.warns(ClxWarning, match="'mistakes'.*assumes that higher is better"):
        chosen = choose_arguments({"metric_for_best_model": "mistakes"}, EVAL)
    assert chosen["greater_is_better"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        user = {"metric_for_best_model": "mistakes", "greater_is_better": False}
        assert choose_arguments(user, EVAL)["greater_is_better"] is False


@pytest.mark.parametrize(
    "user",
    [
        {"metric_for_best_model": "ece", "greater_is_better": True},
        {"metric_for_best_model": "accuracy", "greater_is_better": False},
        {"greater_is_better": True},
    ],
)
def test_the_wrong_direction_is_warned_of(user):
    with pytest.warns(ClxWarning, match="keeps the worst model"):
        choose_arguments(user, EVAL)


def test_a_direction_without_a_metric_does_not_turn_ours_around():
    imbalanced = Setting(100, has_eval=True, metric="f1_macro")
    assert choose_arguments({"greater_is_better": True}, imbalanced)["metric_for_best_model"]
    chosen = choose_arguments({"greater_is_better": False}, imbalanced)
    assert "metric_for_best_model" not in chosen


@pytest.mark.parametrize("schedule", ["reduce_lr_on_plateau", "greedy"])
@pytest.mark.parametrize(("metric", "mode"), [("accuracy", "max"), ("ece", "min"), (None, "min")])
def test_schedules_that_follow_the_metric_know_its_direction(schedule, metric, mode):
    user = {"lr_scheduler_type": schedule, "metric_for_best_model": metric}
    assert choose_arguments(user, EVAL)["lr_scheduler_kwargs"]["mode"] == mode


def test_a_schedule_that_follows_evaluations_needs_eval_data():
    with pytest.raises(ConfigError, match=r"lr_scheduler_type = 'greedy'"):
        choose_arguments({"lr_scheduler_type": "greedy"}, Setting(100, has_eval=False))
