"""Opening saved runs: paths, names, places, contradictions, schemas, damage."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from clx.errors import ConfigError, RunDirError, RunNotFoundError, TaskNotFoundError
from clx.ml import training_run
from clx.ml.run_directory.layout import RunDir
from clx.settings import runs_dir


def edit_config(folder, **changes):
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps(config))
    (folder / "manifest.json").write_text(json.dumps({"files": {}}))


def test_by_path_string_and_name(trained):
    assert training_run(load=trained).run_dir == trained
    assert training_run(load=str(trained)).run_dir == trained
    shutil.copytree(trained, runs_dir() / "fruity")
    run = training_run(load="fruity")
    assert run.run_dir == runs_dir() / "fruity"
    assert run.run_name == "fruity"


def test_an_existing_path_wins_over_a_name(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, runs_dir() / "fruity")
    shutil.copytree(trained, tmp_path / "fruity")
    monkeypatch.chdir(tmp_path)
    assert training_run(load="fruity").run_dir == tmp_path / "fruity"


def test_a_moved_run_works_where_it_is(trained, tmp_path):
    before = training_run(load=trained).predict(["the cat", "a grape"])
    moved = tmp_path / "elsewhere" / "with another name"
    moved.parent.mkdir()
    shutil.move(trained, moved)
    run = training_run(load=moved)
    assert run.predict(["the cat", "a grape"]) == before
    assert run.config["run_name"] == "with another name"


def test_a_run_made_by_task_and_name_uses_what_is_trained_there(trained):
    run = training_run("classification", trained.name, run_dir_parent=trained.parent)
    assert run.is_trained
    assert list(run.predict("cat")[0]) == ["animal", "fruit"]
    assert run.config["label_names"] == ["animal", "fruit"]


def test_a_run_made_with_other_labels_than_trained_is_refused(trained):
    run = training_run(
        "classification", trained.name, run_dir_parent=trained.parent, label_names=["a", "b"]
    )
    with pytest.raises(ConfigError, match=r"label_names is \['animal', 'fruit'\]"):
        run.predict("cat")


def test_alias_is_never_stored_and_config_is_read_only(trained):
    run = training_run(load=trained)
    assert run.config["task"] == "classification"
    with pytest.raises(TypeError):
        run.config["task"] = "other"
    run.config["label_names"].append("x")
    assert run.config["label_names"] == ["animal", "fruit"]


def test_what_says_the_same_may_stand_beside_load(trained):
    run = training_run(
        "classification", trained.name, load=trained, label_names=["animal", "fruit"], device="cpu"
    )
    assert run.device == "cpu"


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"task": "other"}, "task 'classification', not 'other'"),
        ({"run_name": "other"}, "not 'other'"),
        ({"label_names": ["x", "y"]}, "label_names is"),
        ({"lable_names": ["x", "y"]}, "did you mean 'label_names'"),
    ],
)
def test_contradictions_are_refused(trained, beside, message):
    with pytest.raises(ConfigError, match=message):
        training_run(load=trained, **beside)


def test_neither_task_nor_load():
    with pytest.raises(ConfigError, match="classification"):
        training_run()


def test_unknown_runs_are_not_found_with_a_suggestion(trained):
    shutil.copytree(trained, runs_dir() / "reuters")
    with pytest.raises(RunNotFoundError, match="did you mean 'reuters'"):
        training_run(load="reuter")
    with pytest.raises(FileNotFoundError):
        training_run(load="/no/such/run")


def test_a_folder_or_file_that_is_no_run(tmp_path, tiny_model):
    with pytest.raises(RunDirError, match="no trained run"):
        training_run(load=tmp_path)
    with pytest.raises(RunDirError, match=r"no trained run|no task"):
        training_run(load=tiny_model)
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunDirError, match="no trained run"):
        training_run(load=tmp_path / "file")


def test_missing_plugin_says_what_to_install(trained):
    edit_config(trained, task="contracts", task_distribution="acme-contracts", task_version="2.1")
    with pytest.raises(TaskNotFoundError, match=r"pip install acme-contracts==2\.1"):
        training_run(load=trained)


def test_newer_schema_is_a_clear_error(trained):
    edit_config(trained, schema_version=99, clx_version="9.0")
    with pytest.raises(RunDirError, match=r"9\.0.*pip install --upgrade clx-core"):
        training_run(load=trained)


def test_version_0_loads(trained):
    config = json.loads((trained / "config.json").read_text())
    keys = "task run_name base_model_name tokenizer_name tokenize_args model_args training_args"
    old = {key: config[key] for key in keys.split()}
    old |= {"label-names": ["animal", "fruit"], "run_dir_parent": "/somewhere/else"}
    (trained / "config.json").write_text(json.dumps(old))
    (trained / "manifest.json").unlink()
    assert list(training_run(load=trained).predict("cat")[0]) == ["animal", "fruit"]


def test_unknown_keys_survive_a_round_trip(trained, fruit):
    edit_config(trained, from_the_future={"a": 1})
    run = training_run(load=trained)
    assert run.config["from_the_future"] == {"a": 1}
    run.train(fruit, overwrite=True)
    assert json.loads((trained / "config.json").read_text())["from_the_future"] == {"a": 1}


def test_training_argument_unknown_to_this_transformers_still_loads(trained, fruit):
    edit_config(trained, training_args={"from_transformers_9": 3})
    run = training_run(load=trained)
    run.predict("cat")
    with pytest.raises(ConfigError, match="from_transformers_9"):
        run.train(fruit, overwrite=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_names": ["a", "a"]}, "more than once"),
        ({"tokenize_args": 5}, "tokenize_args must be a dict"),
        ({"task": 5}, "not a task name"),
        ({"task": "os:system"}, "never followed"),
        ({"task": "no-such"}, "no task 'no-such'"),
    ],
)
def test_config_that_cannot_be_used(trained, changes, message):
    edit_config(trained, **changes)
    with pytest.raises((RunDirError, TaskNotFoundError), match=message):
        training_run(load=trained)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\x00"])
def test_config_that_is_no_config(trained, text):
    (trained / "config.json").write_text(text)
    with pytest.raises(RunDirError):
        training_run(load=trained)


def test_missing_and_cut_files_are_noticed_at_once_flipped_bits_when_asked(trained):
    weights = trained / "model" / "model.safetensors"
    whole = weights.read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    training_run(load=trained)
    with pytest.raises(RunDirError, match=r"model\.safetensors \(its SHA-256 differs\)"):
        training_run(load=trained, verify=True)
    weights.write_bytes(whole[:-10])
    with pytest.raises(RunDirError, match="bytes instead of"):
        training_run(load=trained)
    weights.unlink()
    with pytest.raises(RunDirError, match="missing"):
        training_run(load=trained)


def test_stored_device_that_is_not_here_gives_way(trained):
    import torch

    from clx.errors import ClxWarning

    edit_config(trained, device="cuda:7")
    run = training_run(load=trained)
    best = "cuda" if torch.cuda.is_available() else "cpu"
    with pytest.warns(ClxWarning, match=f"using '{best}'"):
        run.predict("cat")


def test_read_only_run_directory_predicts(trained):
    subprocess.run(["chmod", "-R", "a-w", str(trained)], check=True)
    try:
        assert len(training_run(load=trained).predict("cat")) == 1
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(trained)], check=True)


@pytest.mark.parametrize("left", ["staging", "previous"])
def test_broken_off_replacement_is_read_from_what_is_complete(trained, left):
    expected = training_run(load=trained).predict("cat")
    run = RunDir(trained)
    trained.rename(getattr(run, left))
    assert training_run(load=trained).predict("cat") == expected


def test_loads_in_a_fresh_process_from_another_folder(trained, tmp_path):
    script = (
        "from clx.ml import training_run;"
        f"print(training_run(load={str(trained)!r}).predict(['the cat'])[0]['animal'] > 0.5)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


def test_no_pickle_in_a_run(trained):
    suffixes = {path.suffix for path in trained.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".jsonl", ".safetensors", ".md", ".txt", ".html"}


def test_config_attributes_change_nothing_on_the_way(tiny_model, fruit):
    options = {
        "tokenize_args": {"max_length": 9},
        "model_args": {"hidden_dropout_prob": 0.2},
        "training_args": {"max_steps": 1, "disable_tqdm": True},
        "label_names": ["fruit", "animal"],
        "label_type": "str",
        "device": "cpu",
    }
    run = training_run("classification", "round", base_model_name=tiny_model, **options)
    with pytest.warns(match="longer than 9"):
        run.train(pd.concat([fruit, fruit]))
    loaded = training_run(load=run.run_dir)
    assert {key: loaded.config[key] for key in options} == options
    assert loaded.model.config.hidden_dropout_prob == 0.2
