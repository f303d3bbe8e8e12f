"""A run of each kind is pushed: results and report are those of the run, without texts and paths."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.data.text_sketch import LEARNED_TEXTS
from clx.ml.results.pages import run_report
from clx.ml.run_directory.layout import RunDir
from clx.ml.sharing.entries import ENTRIES
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
ARGUMENTS = {"max_steps": 3, "disable_tqdm": True}
QUICK = {"label_texts": None, "pooling": "mean", "head_init": "random"}

pytestmark = [
    pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning"),
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture
def alice(tmp_path):
    folder = tmp_path / "home" / "alice"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def make(tiny_model, alice):
    def made(name, **options):
        options = {**QUICK, "training_args": ARGUMENTS, **options}
        return training_run(
            "classification", name, run_dir_parent=alice, base_model_name=tiny_model, **options
        )

    return made


def confidential(rows):
    """Texts that no file of a shared run may hold."""
    frame = fruit_frame(rows)
    return frame.assign(text=["Confidential " + text for text in frame["text"]])


def golden(alice):
    folder = shutil.copytree(GOLDEN / "v1-classification" / "run", alice / "golden")
    return training_run(load=Path(folder))


@pytest.fixture
def push(hub, alice, monkeypatch):
    """Push a run and open it, after checks of what every shared run must be."""
    monkeypatch.setenv("HOME", str(alice.parent))

    def pushed(run, **options):
        run = training_run(load=run.run_dir)
        result = run.push_to_hub("me/shared", **options)
        other = training_run(load=result.address, verify=True)
        files = hub.files("me/shared")
        for private in (b"alice", *(() if options else (b"onfidential",))):
            assert [name for name, content in files.items() if private in content] == []
        assert set(run.results) <= set(ENTRIES)
        assert comparable(other.results) == comparable(run.results)
        shown = sections(run_report(RunDir(run.run_dir)))
        assert sections(files["clx/report.html"].decode()) == shown
        assert other.predict(["the apple"]) == run.predict(["the apple"])
        return result, other

    return pushed


def comparable(results):
    """Return results without texts of the data, and without the places of trackers."""
    values = json.loads(json.dumps(dict(results)))
    values.pop(LEARNED_TEXTS, None)
    for place in values.get("tracking", {}).values():
        for private in ("tracking_uri", "url", "entity"):
            place.pop(private, None)
    for key in ("mistakes", "suspicious_labels"):
        (values["evaluation"] or {}).pop(key, None)
    changes = values.get("labels_history", [])
    for check in [values["data_check"], *(each.get("earlier_data_check") for each in changes)]:
        for finding in check["findings"] if check else ():
            for text in ("message", "rows", "examples", "remedy"):
                finding.pop(text, None)
    return values


def sections(page):
    """Return the facts and the sections of a report that show no texts and no settings."""
    found = {}
    for part in re.split(r"<h2[^>]*>", page)[1:]:
        title, _, content = part.partition("</h2>")
        found[title] = content.partition("<section")[0]
    for other in ("Mistakes", "Suspicious labels", "Data", "Environment and configuration"):
        found.pop(other, None)
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd>(.*?)</dd>", page.partition("</dl>")[0]))
    # The folder of a local model is not shared, only its name.
    facts.pop("Base model")
    return {**found, **facts}


def test_a_continued_run_with_its_comparison(push, make):
    old = make("old", head_init="probe")
    old.train(confidential(24), fine_tune=False)
    more = pd.DataFrame({"text": ["Confidential one", "Confidential two"] * 6, "label": "number"})
    result = training_run(load=old.run_dir).continue_training(
        pd.concat([more, confidential(24)]), confidential(20), name="new", fine_tune=False
    )
    assert result.comparison is not None
    _, other = push(result)
    assert other.results["continued"]["new_labels"] == ["number"]
    assert other.results["continued"]["comparison"]["metrics"]["columns"][0] == "own"


def test_a_tuned_run(push, make):
    space = {"learning_rate": [1e-4, 5e-3], "class_weights": [None, {"animal": 2.0, "fruit": 1.0}]}
    run = make("tuned")
    run.tune(confidential(24), confidential(12), trials=2, space=space)
    _, other = push(run)
    page = run_report(RunDir(other.run_dir))
    assert "2 trials" in page
    assert "No trial finished" not in page


def test_a_run_with_its_adapter(push, make, hub):
    run = make("adapted", lora=True, lora_merge=False)
    run.train(confidential(24), fine_tune=True)
    path = run.run_dir / "adapter" / "adapter_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "base_model_name_or_path": "../alice/models/mine"}))
    manifest = json.loads((run.run_dir / "manifest.json").read_text())
    content = path.read_bytes()
    entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["files"]["adapter/adapter_config.json"] = entry
    (run.run_dir / "manifest.json").write_text(json.dumps(manifest))
    result, other = push(run)
    assert "adapter/adapter_config.json" in str(result)
    assert {"clx/adapter/adapter_config.json", "clx/adapter/adapter_model.safetensors"} <= set(
        result.files
    )
    assert other.config["lora_merge"] is False
    shared = json.loads((other.run_dir / "adapter" / "adapter_config.json").read_text())
    assert shared == {**settings, "base_model_name_or_path": None}
    weights = "adapter/adapter_model.safetensors"
    assert (other.run_dir / weights).read_bytes() == (run.run_dir / weights).read_bytes()


@pytest.mark.filterwarnings("default:::mlflow")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_tracked_run(push, make, alice, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(alice)
    mlflow.set_tracking_uri(f"sqlite:////{alice / 'runs.db'}")
    try:
        run = make("tracked", report_to=["mlflow", "tensorboard"])
        run.train(confidential(24))
    finally:
        mlflow.set_tracking_uri(None)
    assert str(alice) in run.results["tracking"]["mlflow"]["tracking_uri"]
    for options in ({}, {"include_texts": True}):
        result, other = push(run, **options)
        assert other.results["tracking"]["tensorboard"] == {"folder": "logs"}
        assert set(other.results["tracking"]["mlflow"]) == {"run_id", "experiment_id"}
        assert "tracking.mlflow.tracking_uri" in str(result)


def test_a_run_whose_decisions_were_set(push, alice):
    run = golden(alice)
    run.set_decisions(min_score=0.6)
    run.set_decisions(target_accuracy=0.7, on=confidential(24))
    _, other = push(run)
    assert other.results["decisions_history"][0]["new"]["min_score"] == 0.6
    assert other.results["decisions_history"][1]["when"]


def test_a_run_whose_labels_were_renamed_and_merged(push, alice):
    run = golden(alice)
    run.rename_labels({"fruit": "/Food/Fruit/"})
    push(run)
    frame = confidential(24)
    data = frame.assign(label=frame["label"].replace("fruit", "/Food/Fruit/"))
    more = pd.DataFrame({"text": ["Confidential one", "Confidential two"] * 6, "label": "number"})
    run = training_run(load=run.run_dir).continue_training(
        pd.concat([data, data[:4], more]), name="three", fine_tune=False
    )
    run = training_run(load=run.run_dir)
    run.merge_labels({"rest": ["animal", "number"]}, pd.concat([data, more]))
    _, other = push(run)
    (entry,) = other.results["labels_history"]
    assert entry["merged"] == {"rest": ["animal", "number"]}
    assert entry["earlier_data_check"]["findings"]


@pytest.mark.parametrize(
    "forged",
    [
        {"continued": {"comparison": {"metrics": {"index": [], "columns": [None], "rows": []}}}},
        {"tuning": {"of_fine_tuning": 3, "importance": {"rate": "high"}, "objective": "x"}},
    ],
)
def test_entries_of_another_form_do_not_break_the_report(alice, forged):
    run = golden(alice)
    path = run.run_dir / "results.json"
    values = {**json.loads(path.read_text()), "kept_model": "probe", **forged}
    path.write_text(json.dumps(values))
    assert "Metrics per label" in run_report(RunDir(run.run_dir))
