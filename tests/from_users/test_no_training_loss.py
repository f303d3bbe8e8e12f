"""After clx train --no-fine-tune, the command printed "train loss nan"."""

from cli_helpers import Cli
from conftest import fruit_frame


def test_a_training_without_steps_prints_no_loss(tiny_model, tmp_path, capsys, monkeypatch):
    cli = Cli(capsys, monkeypatch)
    fruit_frame(12).to_csv(tmp_path / "train.csv", index=False)
    words = ["train", "classification", "quick", tmp_path / "train.csv", "--base-model", tiny_model]
    assert cli(*words, "--no-fine-tune").status == 0, cli.err
    assert ["steps", "0"] in cli.lines
    assert "nan" not in cli.out
    assert cli(*words, "--overwrite", "--set", "training_args.max_steps=1").status == 0, cli.err
    assert "train loss" in [line[0] for line in cli.lines]
