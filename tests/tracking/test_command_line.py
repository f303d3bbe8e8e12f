"""``clx train --set report_to=...``: the training is logged, and stdout is one JSON document."""

import json

import pytest

from cli_helpers import Cli


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def test_a_training_on_the_command_line_is_logged(cli, tiny_model, fruit, tmp_path):
    fruit[:8].to_csv(tmp_path / "fruit.csv", index=False)
    settings = ['report_to=["tensorboard"]', "head_init=random", "training_args.max_steps=1"]
    options = [each for setting in settings for each in ("--set", setting)]
    cli(
        "train",
        "classification",
        "logged",
        tmp_path / "fruit.csv",
        "--base-model",
        tiny_model,
        "--runs-dir",
        tmp_path,
        "--json",
        *options,
    )
    assert cli.status == 0, cli.err
    assert json.loads(cli.out)["tracking"] == {"tensorboard": {"folder": "logs"}}
    assert list((tmp_path / "logged" / "logs").glob("events.out.tfevents.*"))


def test_an_unknown_tracker_is_a_usage_error(cli, tmp_path):
    cli("train", "classification", "x", tmp_path / "no.csv", "--set", "report_to=tensorbord")
    assert cli.status == 2
    assert "did you mean 'tensorboard'" in cli.err
