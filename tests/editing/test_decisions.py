"""Decisions of a trained run are set without a training, all of it or nothing."""

import json
import multiprocessing
import shutil
from pathlib import Path

import pandas as pd
import pytest

from clx.errors import ConfigError, RunBusyError, RunDirError
from clx.ml import TrainingRun, training_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")


def golden(name, folder):
    return Path(shutil.copytree(GOLDEN / name / "run", folder / name))


@pytest.fixture
def single(tmp_path):
    """A classification run with the labels animal and fruit, which has a file of its user."""
    folder = golden("v1-classification", tmp_path)
    (folder / "notes.txt").write_text("mine")
    return training_run(load=folder)


@pytest.fixture
def multi(tmp_path):
    """A run with the labels animal, fruit and living."""
    return training_run(load=golden("v1-multilabel", tmp_path))


def several(rows=24):
    frame = fruit_frame(rows)
    labels = [[label, "living"] if n % 3 else [label] for n, label in enumerate(frame["label"])]
    return pd.DataFrame({"text": frame["text"], "labels": labels})


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def reopened(run):
    return training_run(load=run.run_dir, verify=True)


def test_a_limit_of_the_score_is_used_at_once_and_saved(single):
    scores = [max(each.values()) for each in single.predict(["apple", "the dog is a horse"])]
    limit = sum(scores) / 2
    expected = [score >= limit for score in scores]
    assert len(set(expected)) == 2
    change = single.set_decisions(min_score=limit)
    assert (change.old["min_score"], change.new["min_score"]) == (None, limit)
    for run in (single, reopened(single)):
        chosen = run.predict_labels(["apple", "the dog is a horse"])
        assert [name is not None for name in chosen] == expected
    assert (single.run_dir / "notes.txt").read_text() == "mine"


def test_a_target_chooses_the_limit_on_data_and_takes_its_place(single):
    change = single.set_decisions(min_score=0.999)
    change = single.set_decisions(target_accuracy=0.9, on=fruit_frame(24))
    assert change.new["target_accuracy"] == 0.9
    assert change.new["min_score"] < 0.999
    assert change.metrics["coverage"] > change.metrics_before["coverage"]
    assert reopened(single).results["metrics"]["coverage"] == change.metrics["coverage"]
    frame = change.to_frame()
    assert list(frame.loc["min_score"]) == [0.999, change.new["min_score"]]
    # A new training chooses it again.
    assert single.config["learned"]["min_score"] is None
    assert single.set_decisions(min_score=0.5).new == {"min_score": 0.5, "target_accuracy": None}
    assert "min_score" not in single.config["learned"]


def test_a_threshold_by_name_leaves_the_others(multi):
    before = multi.config["thresholds"]
    multi.set_decisions(thresholds={"fruit": 0.9})
    assert reopened(multi).config["thresholds"] == {**before, "fruit": 0.9}
    score = multi.predict("apple")[0]["fruit"]
    assert ("fruit" in multi.predict_labels("apple")[0]) == (score >= 0.9)
    multi.set_decisions(thresholds=0.4)
    assert set(multi.set_decisions(thresholds={"fruit": 0.1}).to_frame()["new"][:3]) == {0.4, 0.1}


def test_an_objective_chooses_thresholds_on_data(multi):
    change = multi.set_decisions(threshold_objective="recall", threshold_target=1.0, on=several())
    assert change.metrics["recall_micro"] == 1.0
    assert list(change.evaluation.per_label["threshold"]) == list(change.new["thresholds"].values())
    again = multi.set_decisions(threshold_objective="f1", on=several())
    assert again.new["threshold_target"] is None
    assert multi.set_decisions(on=several()).new == again.new


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs a decision to set"),
        ({"min_scor": 0.5}, "did you mean 'min_score'"),
        ({"min_score": 1.5}, "min_score must be a number from 0 to 1"),
        ({"target_accuracy": 0.9}, "on=..."),
        ({"target_accuracy": 0.9, "min_score": 0.5}, "cannot both be set"),
        ({"min_score": object()}, "min_score must be a number"),
    ],
)
def test_what_cannot_be_set_changes_nothing(single, given, said):
    before, options = files_of(single.run_dir), dict(single.config)
    with pytest.raises(ConfigError, match=said):
        single.set_decisions(**given)
    assert files_of(single.run_dir) == before
    assert dict(single.config) == options


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"thresholds": {"friut": 0.5}}, "did you mean 'fruit'"),
        ({"thresholds": 0.5, "threshold_objective": "f1"}, "cannot be set together"),
        ({"threshold_objective": "recall"}, "needs a threshold_target"),
        ({"threshold_objective": "f1"}, "on=..."),
        ({"min_score": 0.5}, "there is no decision 'min_score'"),
    ],
)
def test_what_cannot_be_set_with_several_labels(multi, given, said):
    before = files_of(multi.run_dir)
    with pytest.raises(ConfigError, match=said):
        multi.set_decisions(**given)
    assert files_of(multi.run_dir) == before


def test_the_history_says_what_was_set_when_and_by_which_clx(single):
    earlier = dict(single.results["metrics"])
    single.set_decisions(min_score=0.5)
    single.set_decisions(min_score=0.6, on=fruit_frame(8))
    first, second = reopened(single).results["decisions_history"]
    assert (first["old"]["min_score"], first["new"]["min_score"]) == (None, 0.5)
    assert (second["old"]["min_score"], second["rows"]) == (0.5, 8)
    assert second["earlier_metrics"] == earlier
    assert {"when", "clx_version"} <= set(first)
    assert second["when"] in (single.run_dir / "report.html").read_text()
    card = (single.run_dir / "model" / "README.md").read_text()
    assert "## Evaluation on 8 rows" in card
    assert "| coverage |" in card


def test_unknown_keys_and_the_version_of_the_training_are_kept(single):
    path = single.run_dir / "config.json"
    config = json.loads(path.read_text()) | {"from-tomorrow": {"a": 1}, "clx_version": "0.0.7"}
    path.write_text(json.dumps(config))
    (single.run_dir / "manifest.json").unlink()
    version_0 = {k: v for k, v in config.items() if k != "schema_version"}
    path.write_text(json.dumps(version_0))
    run = training_run(load=single.run_dir)
    run.set_decisions(min_score=0.7)
    saved = json.loads(path.read_text())
    assert saved["from_tomorrow"] == {"a": 1}
    assert saved["clx_version"] == "0.0.7"
    assert saved["schema_version"] == 1
    assert reopened(run).config["min_score"] == 0.7


def test_a_run_of_the_oldest_schema(tmp_path):
    run = training_run(load=golden("v0-classification", tmp_path))
    scores = run.predict(["apple"])
    run.set_decisions(min_score=0.6, on=fruit_frame(8))
    again = reopened(run)
    assert again.config["min_score"] == 0.6
    assert again.predict(["apple"]) == scores
    assert again.results["metrics"]["coverage"] > 0


def test_other_open_runs_do_not_mix(single):
    loaded, fresh = reopened(single), reopened(single)
    before = loaded.predict_labels(["apple"])
    single.set_decisions(min_score=1.0)
    assert single.predict_labels(["apple"]) == [None]
    assert loaded.predict_labels(["apple"]) == before
    with pytest.raises(RunDirError, match="replaced since it was opened"):
        fresh.predict(["apple"])
    with pytest.raises(RunDirError, match="replaced since it was opened"):
        loaded.set_decisions(min_score=0.1)
    assert reopened(single).config["min_score"] == 1.0


def test_it_waits_for_no_other_writer(single):
    with only_writer(RunDir(single.run_dir)), pytest.raises(RunBusyError):
        single.set_decisions(min_score=0.5)


def test_a_damaged_run_does_not_get_a_new_manifest(single):
    weights = single.run_dir / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunDirError, match="SHA-256 differs"):
        single.set_decisions(min_score=0.5)


def test_files_of_an_interrupted_export_stay_out_of_the_manifest(single):
    (single.run_dir / "onnx").mkdir()
    (single.run_dir / "onnx" / "model.onnx").write_bytes(b"half")
    single.set_decisions(min_score=0.5)
    assert not any(name.startswith("onnx") for name in RunDir(single.run_dir).listed_files())


def _killed(folder):
    import os

    from clx.ml.editing import decisions

    decisions.run_report = lambda *_, **__: os._exit(9)
    training_run(load=folder).set_decisions(min_score=0.5)


def test_a_kill_in_the_middle_leaves_the_run_as_it_was(single):
    before = files_of(single.run_dir)
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(single.run_dir,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert files_of(single.run_dir) == before
    assert single.set_decisions(min_score=0.6).new["min_score"] == 0.6


class Cut(TrainingRun):
    """A third-party task that learns a decision of its own."""

    name = "cut"
    add_config_attrs = ["label_names", "cut"]
    decision_options = ("cut",)
    pipeline_args = {"task": "text-classification"}

    def validate_data_format(self, data):
        """Accept everything."""

    def load_model(self, model_name=None):
        """Return a model with two labels."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(model_name, **self.model_args)

    def tokenize(self, examples):
        """Return the tokens and the labels."""
        return {
            **super().tokenize(examples),
            "labels": [int(x == "fruit") for x in examples["label"]],
        }

    def fit_decisions(self, eval_pred):
        """Learn a number."""
        self.cut = len(eval_pred.label_ids) / 100


class Greedy(Cut):
    """The same, but it chooses on data even what was given."""

    name = "greedy"

    def apply_decisions(self, given):
        """Take over what is given, and ask for data."""
        super().apply_decisions(given)
        return True


class Silent(Cut):
    """The same without the attribute."""

    name = "silent"
    decision_options = ()


def test_a_task_of_somebody_else_takes_part_or_is_refused(tiny_model, tmp_path):
    options = {"base_model_name": tiny_model, "run_dir_parent": tmp_path, "head_init": "probe"}
    run = Cut("own", **options)
    run.train(fruit_frame(8), fine_tune=False)
    assert run.set_decisions(cut=0.3).new == {"cut": 0.3}
    assert run.set_decisions(on=fruit_frame(12)).new == {"cut": 0.12}
    assert json.loads((run.run_dir / "config.json").read_text())["cut"] == 0.12
    assert Cut("own", **options).config["cut"] is None or run.config["cut"] == 0.12
    greedy = Greedy("all", **options)
    greedy.train(fruit_frame(8), fine_tune=False)
    assert greedy.set_decisions(cut=0.3, on=fruit_frame(12)).new == {"cut": 0.3}
    silent = Silent("quiet", **options)
    silent.train(fruit_frame(8), fine_tune=False)
    with pytest.raises(ConfigError, match="decision_options"):
        silent.set_decisions(cut=0.3)
    with pytest.raises(ConfigError, match="label_options"):
        silent.rename_labels({"a": "b"})
