"""``clx push``, and the commands that read a run from the Hub."""

import json

import pytest

from cli_helpers import Cli
from clx.ml import training_run

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def test_push_and_predict_from_the_hub(hub, secrets, cli, tmp_path):
    cli("push", secrets, "me/fruit", "--public", "--license", "mit", "--json")
    assert cli.status == 0, cli.err
    pushed = json.loads(cli.out)
    assert pushed["address"] == f"hf://me/fruit@{pushed['revision']}"
    assert not hub.repositories["me/fruit"].private
    assert any("mistakes" in each for each in pushed["left_out"])

    cli("push", secrets, "me/fruit", "-m", "Again", "--revision", "next")
    assert cli.lines[0][0] == "url"
    assert ["left out", pushed["left_out"][0]] in cli.lines
    assert "Again" in hub.repositories["me/fruit"].messages.values()

    cli("predict", pushed["address"], "the apple", "--json")
    assert cli.status == 0, cli.err
    expected = training_run(load=secrets).predict_labels(["the apple"])
    assert str(expected[0][0] if expected[0] else "") in cli.out
    for command in ("show", "verify"):
        assert cli(command, "hf://me/fruit", "--json").status == 0, cli.err


def test_errors_of_the_hub_are_errors_of_the_user(hub, secrets, cli):
    assert cli("predict", "hf://me/nothing", "the apple").status == 2
    assert "no repository me/nothing" in cli.err
    assert cli("push", secrets, "fruit").status == 2
    assert "owner/name" in cli.err
