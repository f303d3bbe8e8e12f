"""Options of clx train for what people set most, and what contradicts them."""

import pytest

from cli_helpers import Cli
from clx.cli.train_flags import refuse_contradictions, training_entries, with_entries
from clx.errors import ConfigError


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def recorded(monkeypatch):
    calls = []

    class Recorder:
        def __init__(self, *arguments, **options):
            calls.append((arguments, options))

        def _stop(self, *arguments, **options):
            calls.append((arguments, options))
            raise ConfigError("that is all")

        train = continue_training = estimate_training = _stop

    monkeypatch.setattr("clx.ml.training_run", Recorder)
    return calls


FLAGS = ["--epochs", "2.5", "--learning-rate", "1e-4", "--batch-size", "8", "--seed", "3"]
ENTRIES = {
    "num_train_epochs": 2.5,
    "learning_rate": 1e-4,
    "per_device_train_batch_size": 8,
    "seed": 3,
}


def test_flags_are_arguments_of_python(cli, recorded):
    words = ["train", "classification", "new", "d.csv", *FLAGS, "--time-budget", "5m"]
    assert cli(*words, "--no-fine-tune", "--set", "training_args.max_grad_norm=2").status == 2
    assert cli.err == "error: that is all\n"
    (_, options), (_, call) = recorded
    assert options == {"training_args": {"max_grad_norm": 2, **ENTRIES}}
    assert (call["time_budget"], call["fine_tune"]) == ("5m", False)


def test_flags_reach_a_continued_training_and_an_estimate(cli, recorded):
    words = ["train", "classification", "new", "d.csv", *FLAGS, "--time-budget", "90"]
    cli(*words, "--from", "old", "--no-fine-tune")
    _, (_, call) = recorded
    assert call["training_args"] == ENTRIES
    assert (call["time_budget"], call["fine_tune"], call["name"]) == (90, False, "new")
    recorded.clear()
    cli(*words, "--dry-run", "--fine-tune")
    _, (_, call) = recorded
    assert (call["time_budget"], call["fine_tune"]) == (90, True)
    assert "overwrite" not in call


def test_a_number_of_epochs_is_a_whole_number_if_it_is_one():
    assert training_entries(3.0, None, None, None) == {"num_train_epochs": 3}
    assert isinstance(training_entries(3.0, None, None, None)["num_train_epochs"], int)
    assert training_entries(None, None, None, 0) == {"seed": 0}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--epochs", "3", "--set", "training_args.num_train_epochs=2"],
            "--epochs is 3, but --set",
        ),
        (["--epochs", "3", "--set", "training_args.max_steps=9"], "both limit the training"),
        (["--batch-size", "8", "--set", "training_args.per_gpu_train_batch_size=4"], "is 4"),
        (["--seed", "1", "--set", 'training_args={"seed": 2}'], "--seed is 1, but"),
        (["--label-columns", "a,b", "--set", 'label_columns=["a"]'], "label_columns is ['a', 'b']"),
        (["--device", "cpu", "--set", "device=cuda"], "must be set with --device"),
    ],
)
def test_a_flag_and_set_must_not_contradict(cli, recorded, flags, said):
    assert cli("train", "multilabel", "new", "d.csv", *flags).status == 2
    assert said in cli.err
    assert not recorded


def test_what_is_said_twice_is_no_contradiction():
    same = {"training_args": {"seed": 1, "max_steps": -1}}
    refuse_contradictions({"label_columns": ["a"]}, {"seed": 1, "num_train_epochs": 2}, same)


def test_flags_replace_the_older_names_in_a_file():
    given = {"training_args": {"per_gpu_train_batch_size": 4, "seed": 2}}
    found = with_entries(given, {"per_device_train_batch_size": 8})
    assert found == {"training_args": {"per_device_train_batch_size": 8, "seed": 2}}
    assert given["training_args"]["per_gpu_train_batch_size"] == 4


@pytest.mark.parametrize(
    ("command", "guess", "line"),
    [
        ("train", "--lr", "--learning-rate VALUE"),
        ("train", "--num-epochs", "--epochs VALUE"),
        ("train", "--finetune", "--no-fine-tune"),
        ("train", "--max-time", "--time-budget TIME"),
        ("tune", "--epochs", "--set training_args.num_train_epochs=VALUE"),
        ("report", "--no-header", "--header none"),
    ],
)
def test_words_of_other_libraries(cli, command, guess, line):
    assert cli(command, "classification", "new", "d.csv", guess, "1").status == 2
    assert f"For {guess}, write {line}" in cli.err
