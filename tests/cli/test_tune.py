"""``clx tune``."""

import json

import pytest

from cli_helpers import Cli
from clx.cli.tune import space_of
from clx.errors import ConfigError
from conftest import fruit_frame


@pytest.fixture
def clx(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")
def test_tune(clx, tiny_model, tmp_path):
    fruit_frame(24).to_csv(tmp_path / "train.csv", index=False)
    command = [
        "tune", "classification", "fruit", tmp_path / "train.csv", "--eval", "0.25",
        "--base-model", tiny_model, "--trials", "2", "--time-budget", "none",
        "--space", "learning_rate=1e-4:1e-2:log", "--set", "training_args.max_steps=1",
        "--set", "label_texts=null", "--set", "pooling=mean", "--set", "head_init=random",
        "--set", "training_args.disable_tqdm=true",
    ]  # fmt: skip
    clx(*command, "--json")
    assert clx.status == 0
    document = json.loads(clx.out)
    assert document["objective"] == "accuracy"
    assert len(document["trials"]["rows"]) == 2
    assert set(document["best"]) == {"learning_rate"}
    assert document["training"]["kept_model"] is not None
    clx(*command)
    assert clx.status == 2
    assert "--overwrite" in clx.err
    # Both trials are kept, so only the run is trained again.
    clx(*command, "--overwrite")
    assert clx.status == 0
    assert clx.lines[0] == [""]
    assert clx.lines[1][:3] == ["trial", "state", "accuracy"]
    fields = {line[0]: line[1] for line in clx.lines if len(line) == 2}
    assert fields["objective"] == "accuracy"
    assert fields["next"] == 'clx predict fruit "some text"'


def test_spaces():
    assert space_of(None) is None
    given = ["a=1e-5:1e-3:log", "b=1:5", "c=null,balanced", 'd=["x,y", 2]', "e=0.1", "f=a:b"]
    assert space_of(given) == {
        "a": (1e-5, 1e-3, "log"),
        "b": (1, 5),
        "c": [None, "balanced"],
        "d": ["x,y", 2],
        "e": [0.1],
        "f": ["a:b"],
    }
    with pytest.raises(ConfigError, match="'learning_rate' is not KEY=VALUES"):
        space_of(["learning_rate"])
