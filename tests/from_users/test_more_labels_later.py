"""A user had a trained run and rows of one more label, and had to train everything from the start.

They passed the run's directory as the base model and got "has no *.safetensors weights", then its model
folder and got an error about the number of labels, and a new head that knew nothing of the old labels.
"""

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.ml import training_run
from conftest import FRUIT


@pytest.fixture
def numbers(tmp_path):
    frame = pd.DataFrame({"text": [f"the {word}" for word in ("one", "two", "three", "four")]})
    frame.assign(label="number").to_csv(tmp_path / "numbers.csv", index=False)
    return tmp_path / "numbers.csv"


@pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")
def test_rows_of_one_more_label(trained, fruit, numbers, tmp_path, capsys, monkeypatch):
    fruit.to_csv(tmp_path / "old.csv", index=False)
    cli = Cli(capsys, monkeypatch)
    arguments = ["train", "classification", "more", numbers, "--runs-dir", tmp_path]
    cli(*arguments, "--replay", tmp_path / "old.csv")
    assert cli.status == 2
    assert "--replay and --replay-rows need --from RUN" in cli.err
    arguments += ["--from", trained, "--eval", tmp_path / "old.csv"]
    cli(*arguments, "--set", "pooling=cls")
    assert cli.status == 2
    assert "pooling is 'auto' in the saved run, not 'cls'" in cli.err
    arguments += ["--set", "training_args.max_steps=2", "--set", "training_args.disable_tqdm=true"]
    replay = ["--replay", tmp_path / "old.csv", "--replay-rows", "0.5"]
    cli(*arguments, *replay)
    assert cli.status == 0, cli.err
    assert ["metric", "own", "other", "difference", "low", "high"] in cli.lines
    assert ["train rows", "24"] in cli.lines
    run = training_run(load=tmp_path / "more")
    assert run.label_names == ["animal", "fruit", "number"]
    assert run.predict_labels([FRUIT[0]]) == ["fruit"]
    cli("show", tmp_path / "more")
    shown = dict(line[:2] for line in cli.lines if len(line) > 1)
    assert '"run_name": "trained"' in shown["config.continued_from"]
    assert shown["config.base_model_name"] == training_run(load=trained).base_model_name
