"""A user's other library called torch.set_default_dtype(float64): train() and predict() raised."""

import contextlib
import os

import numpy as np
import pytest
import torch

from clx.ml import training_run
from conftest import fruit_frame

FAST = {"max_steps": 2, "disable_tqdm": True}


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
        assert torch.get_default_device() == torch.device(device)
    finally:
        torch.set_default_device(None)


@contextlib.contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@contextlib.contextmanager
def anomaly():
    with torch.autograd.set_detect_anomaly(True, check_nan=False):
        yield
        assert torch.is_anomaly_enabled()


STATES = {
    "float64, no grad, default device": [
        lambda: default_dtype(torch.float64),
        torch.no_grad,
        lambda: default_device("meta"),
    ],
    "bfloat16, inference mode, autocast, numpy raises": [
        lambda: default_dtype(torch.bfloat16),
        torch.inference_mode,
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: np.errstate(all="raise"),
    ],
    "deterministic, anomalies, device of a block": [
        deterministic,
        anomaly,
        lambda: torch.device("meta"),
    ],
}


def everything(folder, base):
    """What all of a run's verbs return: numbers only."""
    data = fruit_frame(12)
    options = {"run_dir_parent": folder, "base_model_name": base}
    probe = training_run("classification", "probe", **options)
    probe.train(data, fine_tune=False)
    run = training_run("classification", "tuned", training_args=FAST, **options)
    result = run.train(data, data)
    opened = training_run(load=run.run_dir)
    opened.export("onnx", texts=data["text"][:9], int8=False)
    found = [
        [result.train_loss, *result.metrics.values(), *opened.evaluate(data).metrics.values()],
        *(list(scores.values()) for scores in probe.predict(data["text"])),
        *(list(scores.values()) for scores in opened.predict(data["text"])),
        *(list(scores.values()) for scores in opened.predict(data["text"], backend="onnx")),
    ]
    return np.array([number for numbers in found for number in numbers])


@pytest.fixture(scope="module")
def expected(tiny_model, tmp_path_factory):
    return everything(tmp_path_factory.mktemp("expected"), tiny_model)


def modes():
    return (
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        torch.get_default_device(),
        np.geterr(),
        dict(os.environ),
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_no_verb_depends_on_what_others_have_set(tiny_model, tmp_path, expected, state):
    with contextlib.ExitStack() as stack:
        for enter in STATES[state]:
            stack.enter_context(enter())
        before = modes()
        found = everything(tmp_path, tiny_model)
        assert modes() == before
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_stream_of_predictions_leaves_the_callers_state_between_them(trained):
    stream = training_run(load=trained).predict_iter(f"the cat {number}" for number in range(3))
    with default_dtype(torch.float64), torch.no_grad():
        before = modes()
        next(stream)
        assert modes() == before
        list(stream)


def test_two_threads_give_back_the_callers_dtype():
    from clx.ml.machine.torch_defaults import torch_defaults

    with default_dtype(torch.float64):
        first, second = torch_defaults(), torch_defaults()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
