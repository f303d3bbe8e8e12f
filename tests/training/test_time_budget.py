"""Training within a given time; no test asserts a duration."""

import pytest
import torch

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.training import time_budget
from clx.ml.training.time_budget import Budget, seconds_of
from conftest import fruit_frame

QUIET = {"disable_tqdm": True}


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, None), (90, 90), (1.5, 1.5), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2 h", 7200)],
)
def test_ways_to_say_a_time(given, seconds):
    assert seconds_of(given) == seconds


@pytest.mark.parametrize("given", ["5", "five minutes", "", 0, -3, True, "0m", float("nan"), []])
def test_what_is_no_time(given, fruit):
    with pytest.raises(ConfigError, match="time_budget must be"):
        training_run("classification", "x").train(fruit, time_budget=given)


def test_steps_that_fit(monkeypatch):
    monkeypatch.setattr("clx.ml.training.time_budget.time.monotonic", lambda: 110.0)
    budget = Budget(100, started=100.0, evaluation_seconds=10)
    # 100 - 10 gone - 5 and 2 kept - 12 for the evaluation
    assert budget.left() == pytest.approx(71)
    assert budget.steps(0.5) == 142
    assert Budget(1, started=100.0).steps(0.5) == 0


def test_ample_time_changes_nothing(tiny_model, fruit):
    results = []
    for name, budget in (("free", None), ("ample", "1h")):
        run = training_run(
            "classification", name, base_model_name=tiny_model,
            training_args={**QUIET, "num_train_epochs": 2},
        )  # fmt: skip
        run.train(fruit, fruit_frame(12), time_budget=budget)
        results.append(run.predict("the apple")[0])
    assert results[0] == pytest.approx(results[1], abs=1e-6)


def test_too_little_time_gives_the_probe(tiny_model, fruit):
    run = training_run("classification", "hasty", base_model_name=tiny_model, training_args=QUIET)
    result = run.train(fruit, time_budget=0.01)
    assert result.steps == 0
    assert run.results["head"]["init"] == "probe"
    assert run.results["time_budget"] == {"seconds": 0.01, "steps": 0}
    assert run.predict("apple")


def test_the_schedule_is_that_of_the_steps_that_fit(tiny_model, fruit, monkeypatch):
    monkeypatch.setattr("clx.ml.training.time_budget.measure_step", lambda trainer: 10.0)
    run = training_run(
        "classification", "fits", base_model_name=tiny_model,
        training_args={**QUIET, "num_train_epochs": 200},
    )  # fmt: skip
    result = run.train(fruit, fruit_frame(12), time_budget=400)
    assert 20 < result.steps < 40
    assert result.steps == run.results["time_budget"]["steps"]
    assert result.evaluation is not None


def test_steps_are_measured_in_the_precision_of_the_training(tiny_model, fruit, monkeypatch):
    if torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        pytest.skip("this GPU has no bf16")
    made = []

    def measured(trainer):
        layer = next(m for m in trainer.model.modules() if isinstance(m, torch.nn.Linear))
        handle = layer.register_forward_hook(lambda _, __, out: made.append(out.dtype))
        seconds = measure_step(trainer)
        handle.remove()
        return seconds

    measure_step = time_budget.measure_step
    monkeypatch.setattr(time_budget, "measure_step", measured)
    run = training_run(
        "classification", "half", base_model_name=tiny_model,
        training_args={**QUIET, "bf16": True, "max_steps": 1},
    )  # fmt: skip
    run.train(fruit, time_budget="1h")
    assert set(made) == {torch.bfloat16}
    assert "time_budget" not in run.results
