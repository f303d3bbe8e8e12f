"""A user drew df.sample() between trainings and evaluations: every "random" split was the same."""

import os
import random

import numpy as np
import pandas as pd
import pytest
import torch

from clx.ml import training_run
from conftest import fruit_frame

FAST = {"max_steps": 1, "disable_tqdm": True}


def state():
    """What the next draws of the caller depend on, without drawing."""
    return (
        random.getstate(),
        np.random.get_state()[1].tolist(),
        np.random.get_state()[2],
        torch.get_rng_state().tolist(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        dict(os.environ),
    )


VERBS = {
    "evaluate": lambda run, data: run.evaluate(data),
    "compare": lambda run, data: run.compare(run, data),
    "check": lambda run, data: run.check(data),
    "find_label_errors": lambda run, data: run.find_label_errors(data),
    "predict": lambda run, data: run.predict(data["text"]),
    "report": lambda run, data: run.report(data=data),
}


@pytest.mark.parametrize("arguments", [FAST, {**FAST, "full_determinism": True}], ids=["", "full"])
def test_a_training_leaves_the_callers_state(tiny_model, fruit, arguments):
    run = training_run(
        "classification", "state", base_model_name=tiny_model, training_args=arguments
    )
    before = state()
    run.train(fruit, fruit)
    assert state() == before


def test_a_training_that_fails_leaves_it_too(tiny_model, fruit):
    run = training_run("classification", "state", base_model_name=tiny_model, training_args=FAST)
    before = state()
    with pytest.raises(ValueError, match="stop here"):
        run.train(fruit, callbacks=[Failing()])
    assert state() == before


class Failing:
    """A callback that is none: the Trainer fails in the middle of its work."""

    def __getattr__(self, name):
        if name.startswith("on_train_begin"):
            raise ValueError("stop here")
        return lambda args, state, control, **more: control


@pytest.mark.parametrize("verb", VERBS)
def test_every_other_verb_leaves_it_too(trained, verb):
    run = training_run(load=trained)
    before = state()
    VERBS[verb](run, fruit_frame())
    assert state() == before


def test_two_samples_around_a_training_differ(tiny_model, fruit):
    run = training_run("classification", "state", base_model_name=tiny_model, training_args=FAST)
    rows = pd.DataFrame({"row": range(1000)})
    samples = []
    for _ in range(2):
        run.train(fruit, overwrite=True)
        samples.append(rows.sample(20)["row"].tolist())
    assert samples[0] != samples[1]


def test_trainings_are_as_reproducible_as_before(tiny_model, fruit):
    weights = []
    for name in ("one", "two"):
        options = {"base_model_name": tiny_model, "training_args": FAST}
        run = training_run("classification", name, **options)
        run.train(fruit)
        np.random.rand(), random.random(), torch.rand(3)
        weights.append({key: value.clone() for key, value in run.model.state_dict().items()})
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
