"""A fine-tuning that makes things worse than the probe was: on eval data the probe is kept."""

import json

import pytest
import torch
from transformers import TrainerCallback

from clx.ml import training_run
from conftest import fruit_frame

RUINOUS = {"disable_tqdm": True, "learning_rate": 5.0, "num_train_epochs": 3}


def make(model, name, **options):
    arguments = {**RUINOUS, **options.pop("training_args", {})}
    return training_run(
        "classification", name, base_model_name=model, training_args=arguments, **options
    )


class Stop(TrainerCallback):
    """Ends a training with an error at a step."""

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 4:
            raise KeyboardInterrupt


def test_the_probe_is_kept_where_fine_tuning_ruins_it(tiny_model, fruit):
    run = make(tiny_model, "ruined")
    result = run.train(fruit, fruit_frame(30))
    kept = run.results["kept"]
    assert kept["model"] == "probe"
    assert kept["score"] < kept["best_of_training"]
    assert result.steps == 9
    # What is published, and what a reader makes of it, is the probe.
    head_alone = make(tiny_model, "alone")
    assert head_alone.train(fruit, fruit_frame(30), fine_tune=False).metrics["accuracy"] == (
        pytest.approx(result.metrics["accuracy"])
    )
    loaded = training_run(load=run.run_dir)
    assert loaded.evaluate(fruit_frame(30)).metrics["loss"] == pytest.approx(
        result.metrics["loss"], rel=1e-4
    )
    assert loaded.predict(fruit["text"]) == run.predict(fruit["text"])


def test_it_is_kept_after_a_resume_too(tiny_model, fruit):
    arguments = {"save_strategy": "steps", "eval_strategy": "steps", "eval_steps": 3}
    options = {"training_args": arguments, "label_texts": {"fruit": "apples and pears"}}
    whole = make(tiny_model, "whole", **options)
    whole.train(fruit, fruit_frame(30))
    run = make(tiny_model, "resumed", **options)
    with pytest.raises(KeyboardInterrupt):
        run.train(fruit, fruit_frame(30), callbacks=[Stop()])
    run = make(tiny_model, "resumed", **options)
    run.train(fruit, fruit_frame(30), resume=True)
    assert run.results["head"]["label_texts"] == whole.results["head"]["label_texts"] == 1
    assert run.results["kept"] == whole.results["kept"]
    assert run.predict(fruit["text"]) == whole.predict(fruit["text"])


@pytest.mark.parametrize(
    ("options", "has_eval"),
    [
        ({"training_args": {"learning_rate": 5e-3, "num_train_epochs": 6}}, True),
        ({"training_args": {"load_best_model_at_end": False}}, True),
        ({"head_init": "random"}, True),
        ({}, False),
    ],
)
def test_else_the_fine_tuned_model_is_kept(tiny_model, fruit, options, has_eval):
    run = make(tiny_model, "fine-tuned", **options)
    run.train(fruit, fruit_frame(30) if has_eval else None)
    assert "kept" not in json.loads((run.run_dir / "results.json").read_text())


def test_several_labels_a_row_have_it_too(tiny_model, fruit):
    rows = fruit.assign(labels=[[label] for label in fruit["label"]])[["text", "labels"]]
    run = training_run(
        "multi-label-classification", "several", base_model_name=tiny_model, training_args=RUINOUS
    )
    result = run.train(rows, rows)
    assert run.results["kept"]["model"] == "probe"
    assert run.evaluate(rows).metrics["f1_micro"] == pytest.approx(result.metrics["f1_micro"])


class Precision(TrainerCallback):
    """Keeps the types of the weights that are trained."""

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.seen = {parameter.dtype for parameter in model.parameters()}


def test_evaluating_the_probe_leaves_the_precision_of_the_training(tiny_model, fruit):
    precision = Precision()
    arguments = {"bf16_full_eval": True, "use_cpu": True, "learning_rate": 1e-3, "max_steps": 2}
    run = make(tiny_model, "precise", training_args=arguments)
    run.train(fruit, fruit_frame(30), callbacks=[precision])
    assert precision.seen == {torch.float32}
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}


def test_a_budget_that_ends_early_compares_with_the_probe_too(tiny_model, fruit, monkeypatch):
    """The time is up within the first epoch: steps took far longer than they were measured."""
    left = [1000.0]
    monkeypatch.setattr("clx.ml.training.time_budget.Budget.left", lambda budget: left[0])

    class TimeFlies(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            # The first step is one of the warm-up, and changes nothing.
            if state.global_step == 2:
                left[0] = 0.0

    run = make(tiny_model, "slow")
    result = run.train(fruit, fruit_frame(30), callbacks=[TimeFlies()], time_budget=1000)
    assert result.steps == 2
    assert run.results["kept"]["model"] == "probe"
