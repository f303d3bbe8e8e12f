"""A user trained with device="cuda" without a GPU: it silently ran on the CPU; predict raised."""

import numpy as np
import pytest
import torch

from cli_helpers import Cli
from clx.errors import ClxWarning, ConfigError
from clx.ml import training_run
from clx.ml.machine.devices import training_gpu
from clx.ml.run_directory.files import write_json
from clx.ml.trainer.arguments import training_arguments
from clx_runtime.files import read_json
from conftest import fruit_frame

FAST = {"max_steps": 1, "disable_tqdm": True}
NOWHERE = "/nowhere/data.csv"
"""Data that cannot be read: an error about the device comes first."""

OTHERS = ("cuda:2", "cuda", "cpu", "mps", None)
LACKING = ["cuda", "cuda:1", "mps", "gpu"]


@pytest.fixture(autouse=True)
def without_accelerator():
    if torch.accelerator.is_available():
        pytest.skip("this machine has an accelerator")


@pytest.mark.parametrize("device", LACKING)
def test_train_refuses_a_device_that_is_not_there_before_it_reads_data(tiny_model, device):
    run = training_run("classification", "x", base_model_name=tiny_model, device=device)
    with pytest.raises(ConfigError, match=f"The device '{device}' cannot be used here"):
        run.train(NOWHERE)
    assert not run.run_dir.exists()


VERBS = {
    "evaluate": lambda run: run.evaluate(NOWHERE),
    "compare": lambda run: run.compare(run, NOWHERE),
    "find_label_errors": lambda run: run.find_label_errors(NOWHERE),
    "report": lambda run: run.report(data=NOWHERE),
    "predict": lambda run: run.predict([]),
    "predict_iter": lambda run: run.predict_iter(iter(())),
    "predict_frame": lambda run: run.predict_frame(NOWHERE),
    "predict_file": lambda run: run.predict_file(NOWHERE, "/nowhere/out.csv"),
    "predict_frame onnx": lambda run: run.predict_frame(NOWHERE, backend="onnx"),
    "export": lambda run: run.export("onnx", texts=iter(())),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_of_a_trained_run_refuses_it_before_it_reads_data(trained, verb):
    run = training_run(load=trained, device="cuda:1")
    with pytest.raises(ConfigError, match="device 'cuda:1'"):
        VERBS[verb](run)


@pytest.mark.parametrize(
    "command",
    [
        ["train", "classification", "name", NOWHERE, "--device", "cuda"],
        ["evaluate", "RUN", NOWHERE, "--device", "cuda"],
        ["predict", "RUN", "a cat", "--device", "cuda"],
    ],
    ids=lambda command: command[0],
)
def test_the_command_line_refuses_it(trained, command, capsys, monkeypatch):
    done = Cli(capsys, monkeypatch)(*(trained if word == "RUN" else word for word in command))
    assert done.status == 2
    assert "The device 'cuda' cannot be used here" in done.err


@pytest.fixture
def from_gpu(trained):
    """A run whose config says that it was trained on a GPU."""
    config = read_json(trained / "config.json")
    write_json(trained / "config.json", {**config, "device": "cuda:1"})
    (trained / "manifest.json").unlink()
    write_json(trained / "config.json", {**config, "device": "cuda:1", "schema_version": 0})
    return trained


def test_a_run_from_a_machine_with_a_gpu_works_with_a_warning(from_gpu):
    run = training_run(load=from_gpu)
    assert run.device == "cuda:1"
    with pytest.warns(ClxWarning, match="'cuda:1' cannot be used here.*using 'cpu'"):
        assert len(run.predict(["a cat"])) == 1
    assert run.evaluate(fruit_frame(4)).rows == 4
    frame = run.predict_frame(fruit_frame(4))
    assert len(frame) == 4


def test_training_such_a_run_again_says_where_it_trains(from_gpu):
    run = training_run(load=from_gpu)
    run.training_args.update(FAST)
    with pytest.warns(ClxWarning, match="'cuda:1' cannot be used here.*using 'cpu'"):
        run.train(fruit_frame(8), overwrite=True)


def test_the_device_of_an_opening_is_also_that_of_a_training(from_gpu):
    run = training_run(load=from_gpu, device="cpu")
    run.train(fruit_frame(8), overwrite=True, fine_tune=False)
    assert run.device == run.config["device"] == "cpu"
    assert len(run.predict(["a cat"])) == 1


class TwoGpus:
    """What torch says on a machine with two GPUs, as far as arguments of a Trainer ask."""

    def __init__(self, monkeypatch):
        self.current = []
        for name, value in {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "set_device": self.current.append,
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)


def test_a_gpu_with_a_number_is_where_the_trainer_trains(monkeypatch, tmp_path):
    from accelerate import PartialState

    gpus = TwoGpus(monkeypatch)
    arguments = training_arguments("cuda:1", tmp_path, {"report_to": "none"})
    assert arguments.device == torch.device("cuda:1")
    assert arguments.n_gpu == 1
    assert arguments.parallel_mode.value == "not_parallel"
    assert arguments.train_batch_size == arguments.per_device_train_batch_size
    assert PartialState().device == torch.device("cuda:1")
    assert gpus.current[-1] == torch.device("cuda:1")
    PartialState._reset_state()


@pytest.mark.parametrize(
    ("device", "chosen"),
    [("cuda:0", "cuda:0"), ("cuda:1", "cuda:1"), *((other, None) for other in OTHERS)],
)
def test_only_a_number_chooses_a_gpu(monkeypatch, device, chosen):
    TwoGpus(monkeypatch)
    assert training_gpu(device) == (chosen and torch.device(chosen))


def test_torchrun_gives_each_process_its_own_gpu(monkeypatch):
    TwoGpus(monkeypatch)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert training_gpu("cuda:1") is None


def test_numbers_are_those_of_the_cpu(trained):
    data = fruit_frame(8)["text"]
    default, on_cpu = training_run(load=trained), training_run(load=trained, device="cpu")
    one, two = (
        [list(scores.values()) for scores in run.predict(data)] for run in (default, on_cpu)
    )
    np.testing.assert_allclose(one, two, atol=1e-6)
