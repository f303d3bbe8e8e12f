"""Run directories of every schema there ever was load, and answer as they did."""

import json
import shutil
from pathlib import Path

import pytest

from clx.errors import RunDirError
from clx.ml import training_run
from clx.ml.run_directory.config import SCHEMA_VERSION
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
RUNS = sorted(path.name for path in GOLDEN.iterdir() if (path / "run").is_dir())


def test_every_schema_has_a_directory():
    versions = set()
    for name in RUNS:
        config = json.loads((GOLDEN / name / "run" / "config.json").read_text())
        versions.add(config.get("schema_version", 0))
    assert versions == set(range(SCHEMA_VERSION + 1))


@pytest.mark.parametrize("name", RUNS)
def test_it_loads_and_answers_as_when_it_was_written(name):
    folder = GOLDEN / name / "run"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    run = training_run(load=folder, verify=True)
    expected = json.loads((GOLDEN / name / "expected.json").read_text())
    for scores, golden in zip(run.predict(expected["texts"]), expected["scores"], strict=True):
        assert list(scores) == list(golden)
        assert scores == pytest.approx(golden, abs=1e-4)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_version_0_has_only_the_keys_that_it_had():
    config = json.loads((GOLDEN / "v0-classification" / "run" / "config.json").read_text())
    keys = "task run_name run_dir_parent base_model_name tokenizer_name tokenize_args model_args"
    assert set(config) == {*keys.split(), "training_args", "label_names"}
    assert not (GOLDEN / "v0-classification" / "run" / "manifest.json").exists()


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_version_0_evaluates_and_can_be_trained_anew(tmp_path, tiny_model):
    folder = shutil.copytree(GOLDEN / "v0-classification" / "run", tmp_path / "old")
    run = training_run(load=folder)
    assert run.evaluate(fruit_frame(8)).metrics["accuracy"] > 0.7
    assert run.run_name == "old"
    config = json.loads((folder / "config.json").read_text())
    config |= {"base_model_name": str(tiny_model), "training_args": {"max_steps": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    training_run(load=folder).train(fruit_frame(8), overwrite=True)
    assert training_run(load=folder, verify=True).config["schema_version"] == SCHEMA_VERSION


def test_version_0_with_hyphens_in_its_keys(tmp_path):
    folder = shutil.copytree(GOLDEN / "v0-classification" / "run", tmp_path / "old")
    config = json.loads((folder / "config.json").read_text())
    hyphened = {key.replace("_", "-"): value for key, value in config.items()}
    (folder / "config.json").write_text(json.dumps(hyphened))
    run = training_run(load=folder)
    assert run.label_names == config["label_names"]
    assert run.tokenize_args == config["tokenize_args"]
    assert run.training_args == config["training_args"]


def test_a_newer_schema_is_refused_with_what_to_install(tmp_path):
    folder = shutil.copytree(GOLDEN / "v0-classification" / "run", tmp_path / "new")
    config = json.loads((folder / "config.json").read_text())
    config |= {"schema_version": SCHEMA_VERSION + 1, "clx_version": "7.1"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunDirError, match=r"newer clx \(7\.1, .*pip install --upgrade clx-core"):
        training_run(load=folder)
