"""A user wanted better label names: editing two files by hand gave a run that does not open."""

import json
import shutil
from pathlib import Path

import pytest

from cli_helpers import Cli
from clx.ml import training_run
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(GOLDEN / "v1-multilabel" / "run", tmp_path / "run")


def test_labels_are_listed_renamed_and_verified(cli, folder):
    listed = cli("labels", folder).lines
    assert listed[1][:4] == ["label", "train", "eval", "threshold"]
    assert [line[0] for line in listed[2:]] == ["animal", "fruit", "living"]
    assert listed[2][1:3] == ["11", "11"]
    renamed = cli("labels", folder, "--rename", "fruit=Obst", "--rename", '{"living": "a=b,c"}')
    assert [line[0] for line in renamed.lines[2:]] == ["animal", "Obst", "a=b,c"]
    assert cli("verify", folder).status == 0
    assert list(training_run(load=folder).predict("apple")[0]) == ["animal", "Obst", "a=b,c"]


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_labels_are_merged_and_renamed_in_one_step(cli, folder, tmp_path):
    frame = fruit_frame(24)
    frame["labels"] = [json.dumps([label, "living"]) for label in frame.pop("label")]
    frame.to_csv(tmp_path / "data.csv", index=False)
    data = ["--data", tmp_path / "data.csv", "--eval", "0.25"]
    merge = ["--merge", "organism=animal,living", "--rename", "fruit=Obst"]
    document = json.loads(cli("labels", folder, *merge, *data, "--json").out)
    assert [row["label"] for row in document["labels"]] == ["organism", "Obst"]
    assert document["metrics"]["f1_micro"] > 0.5
    assert cli("verify", folder).status == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rename", "friut=Obst"], "did you mean 'fruit'"),
        (["--rename", "fruit"], "OLD=NEW"),
        (["--rename", "{x"], "not valid JSON"),
        (["--merge", "a=animal,fruit"], "--data"),
        (["--eval", "0.2"], "--merge only"),
        (["--rename", "fruit=a", "--rename", "fruit=b"], "more than once"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(cli, folder, options, said):
    before = (folder / "manifest.json").read_bytes()
    assert cli("labels", folder, *options).status == 2
    assert said in cli.err
    assert (folder / "manifest.json").read_bytes() == before
