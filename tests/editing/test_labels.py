"""Labels of a trained run get other names, or become one, in all files at once."""

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from clx.errors import ConfigError, DataFormatError, ModelError
from clx.ml import training_run
from clx.ml.data.text_sketch import TextSketch
from clx.ml.editing.groups import checked_merging, merged_value
from clx.ml.editing.names import renamed_tags
from clx.ml.editing.renamed_results import renamed_results
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
TEXTS = ["apple", "the dog is a horse"]
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")


def golden(name, folder):
    return training_run(load=Path(shutil.copytree(GOLDEN / name / "run", folder / name)))


@pytest.fixture
def single(tmp_path):
    """A classification run with the labels animal and fruit."""
    return golden("v1-classification", tmp_path)


@pytest.fixture
def multi(tmp_path):
    """A run with the labels animal, fruit and living."""
    return golden("v1-multilabel", tmp_path)


def several(rows=24):
    frame = fruit_frame(rows)
    labels = [[label, "living"] if n % 3 else [label] for n, label in enumerate(frame["label"])]
    return pd.DataFrame({"text": frame["text"], "labels": labels})


def reopened(run):
    return training_run(load=run.run_dir, verify=True)


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["v0-classification", "v1-classification", "v1-multilabel"])
def test_a_new_name_is_in_every_file_and_the_scores_stay(name, tmp_path):
    run = golden(name, tmp_path)
    before, weights = run.predict(TEXTS), run.run_dir / "model" / "model.safetensors"
    bytes_before = weights.read_bytes()
    assert run.rename_labels({"fruit": "Obst"})[:2] == ["animal", "Obst"]
    for each in (run, reopened(run)):
        for old, new in zip(before, each.predict(TEXTS), strict=True):
            assert list(new) == ["Obst" if label == "fruit" else label for label in old]
            assert list(new.values()) == list(old.values())
    assert weights.read_bytes() == bytes_before
    for path in run.run_dir.rglob("*"):
        if path.suffix in (".json", ".md", ".html") and path.parent.name != "logs":
            text = path.read_text().replace('"fruit": "Obst"', "").replace("fruit is now Obst", "")
            assert '"fruit"' not in text or path.name.startswith("tokenizer"), path
            assert ">fruit<" not in text, path
    frame = fruit_frame(8).replace("fruit", "Obst")
    if name != "v1-multilabel":
        assert list(run.evaluate(frame).per_label.index) == ["animal", "Obst"]


def test_plain_transformers_gives_the_new_names(single):
    from transformers import pipeline

    single.rename_labels({"fruit": "Obst"})
    found = pipeline("text-classification", model=str(single.run_dir / "model"))("apple")
    assert found[0]["label"] == "Obst"


def test_two_names_can_be_exchanged(multi):
    thresholds, before = multi.config["thresholds"], multi.predict(TEXTS)
    multi.rename_labels({"animal": "fruit", "fruit": "animal"})
    run = reopened(multi)
    assert run.config["label_names"] == ["fruit", "animal", "living"]
    assert run.config["thresholds"]["fruit"] == thresholds["animal"]
    assert [list(each.values()) for each in run.predict(TEXTS)] == [
        list(each.values()) for each in before
    ]
    counts = run.results["data_check"]["label_counts"]["train_data"]
    assert counts == {"fruit": 11, "animal": 12, "living": 23}
    assert run.results["labels_history"][0]["renamed"] == {"animal": "fruit", "fruit": "animal"}
    multi.rename_labels({"animal": "fruit", "fruit": "animal"})
    assert reopened(multi).config["thresholds"] == thresholds


def test_options_by_label_and_learned_ones_and_earlier_decisions_follow(multi):
    path = multi.run_dir / "config.json"
    config = json.loads(path.read_text())
    config |= {"class_weights": {"fruit": 2.0}, "label_texts": {"fruit": "things to eat"}}
    config["label_columns"] = ["animal", "fruit", "living"]
    config["learned"]["class_weights"] = {"fruit": 3.0}
    path.write_text(json.dumps(config))
    (multi.run_dir / "manifest.json").write_text('{"files": {}}')
    run = training_run(load=multi.run_dir)
    run.set_decisions(thresholds={"fruit": 0.9})
    run.rename_labels({"fruit": "Obst"})
    again = reopened(run).config
    assert again["class_weights"] == {"Obst": 2.0}
    assert again["label_texts"] == {"Obst": "things to eat"}
    assert again["label_columns"] == ["animal", "Obst", "living"]
    assert again["learned"]["class_weights"] == {"Obst": 3.0}
    (entry,) = run.results["decisions_history"]
    assert entry["new"]["thresholds"]["Obst"] == 0.9


def test_labels_that_were_numbers_become_texts(tiny_model, tmp_path):
    data = fruit_frame(12).replace({"fruit": 1, "animal": 2}).infer_objects()
    run = training_run("classification", "n", base_model_name=tiny_model, run_dir_parent=tmp_path)
    run.train(data, fine_tune=False)
    run.rename_labels({1: 3})
    assert run.predict_frame(data)["label"].dtype == "int64"
    run.rename_labels({3: "three"})
    labels = reopened(run).predict_frame(data)["label"]
    assert set(labels) <= {"three", "2"}


def test_an_export_gets_the_names_too_and_stays_after_decisions(single):
    pytest.importorskip("onnxruntime")
    single.export(texts=TEXTS, int8=False)
    single.set_decisions(min_score=0.5)
    expected = single.predict(TEXTS, backend="onnx")
    single.rename_labels({"fruit": "animal", "animal": "fruit"})
    for run in (single, reopened(single)):
        found = run.predict(TEXTS, backend="onnx")
        assert [list(each.values()) for each in found] == [
            pytest.approx(list(each.values())) for each in expected
        ]
        assert list(found[0]) == ["fruit", "animal"]


@pytest.mark.parametrize(
    ("renamed", "said"),
    [
        ({}, "needs a dict"),
        ("fruit=Obst", "needs a dict"),
        ({"friut": "Obst"}, "did you mean 'fruit'"),
        ({"fruit": "animal"}, "merge_labels"),
        ({"fruit": " "}, "label_names"),
        ({"fruit": "fruit"}, "already has its new name"),
        ({"fruit": "animal "}, "label_names"),
    ],
)
def test_what_cannot_be_a_name_changes_nothing(single, renamed, said):
    before = content(single.run_dir)
    with pytest.raises(ConfigError, match=said):
        single.rename_labels(renamed)
    assert content(single.run_dir) == before


def test_a_model_with_other_labels_is_refused(single):
    path = single.run_dir / "model" / "config.json"
    config = json.loads(path.read_text())
    config["id2label"] = {"0": "x", "1": "fruit"}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="not the run's label_names"):
        single.rename_labels({"fruit": "Obst"})


def test_tags_of_spans_keep_their_prefix():
    tags = {"0": "O", "1": "B-person", "2": "I-person"}
    assert renamed_tags(tags, {"person": "who"}) == {"0": "O", "1": "B-who", "2": "I-who"}
    assert renamed_tags(tags, {"place": "where"}) is None
    unnamed = {"0": "LABEL_0", "1": "LABEL_1"}
    assert renamed_tags(unnamed, {"a": "b", "c": "d"}) == unnamed


def test_cells_of_tables_are_renamed_but_not_numbers_of_rows():
    mistakes = {
        "index": ["0", "1"],
        "columns": ["text", "label"],
        "rows": [["0", "0"], ["1", ["1"]]],
    }
    results = {"evaluation": {"mistakes": mistakes, "tables": {}}}
    found = renamed_results(results, {"0": "no", "1": "yes"})["evaluation"]["mistakes"]
    assert found["rows"] == [["0", "no"], ["1", ["yes"]]]
    assert found["index"] == ["0", "1"]


THREE = ["animal", "fruit", "plant"]


def three(rows=48):
    data = fruit_frame(rows)
    data.loc[data["text"].str.contains("lemon|melon|grape"), "label"] = "plant"
    return data


@pytest.fixture(scope="module")
def _with_three(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("merge")
    options = {"class_weights": {"fruit": 2.0, "plant": 1.0}, "target_accuracy": 0.9}
    options["pooling"] = "mean"
    run = training_run(
        "classification", "three", run_dir_parent=folder, base_model_name=tiny_model, **options
    )
    run.train(three(), three(24), fine_tune=False)
    return run.run_dir


@pytest.fixture
def with_three(_with_three, tmp_path):
    """A run with three labels: a copy of one's own."""
    return training_run(load=Path(shutil.copytree(_with_three, tmp_path / "three")))


def weights(run):
    return load_file(run.run_dir / "model" / "model.safetensors")


@pytest.mark.parametrize("names", ["old", "new"])
def test_two_labels_become_one_and_the_encoder_stays(with_three, names):
    before = weights(with_three)
    data, evaluated = three(), three(24)
    data.loc[len(data)] = ["five big cats and a cow", "animal"]
    if names == "new":
        data = data.replace({"fruit": "food", "plant": "food"})
    earlier = dict(with_three.results["metrics"])
    result = with_three.merge_labels({"food": ["plant", "fruit"]}, data, evaluated)
    assert result.metrics["accuracy"] == 1.0
    assert result.metrics["coverage"] > 0.9
    for run in (with_three, reopened(with_three)):
        assert [list(each) for each in run.predict(TEXTS)] == [["animal", "food"]] * 2
        assert run.predict_labels(TEXTS) == ["food", "animal"]
    after = weights(with_three)
    changed = {name for name in before if before[name].shape != after[name].shape}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert all(before[name].equal(after[name]) for name in set(before) - changed)
    config = reopened(with_three).config
    assert config["class_weights"] == {"food": 1.5}
    assert config["learned"]["min_score"] is None
    (entry,) = with_three.results["labels_history"]
    assert entry["merged"] == {"food": ["fruit", "plant"]}
    assert entry["earlier_metrics"] == earlier
    assert '- "food"' in (with_three.run_dir / "model" / "README.md").read_text()
    learned = TextSketch.from_json(with_three.results["learned_texts"])
    assert learned.look_up([three()["text"][0], data["text"].iloc[-1], "x"]) == [True, True, False]
    assert ">plant<" not in (with_three.run_dir / "report.html").read_text()


def test_several_labels_per_text_and_a_share_for_evaluation(multi):
    data = several(48)
    multi.merge_labels({"organism": ["animal", "living"]}, data, 0.25)
    run = reopened(multi)
    assert run.config["label_names"] == ["organism", "fruit"]
    assert list(run.config["thresholds"]) == ["organism", "fruit"]
    assert run.results["rows"] == {"train": 36, "eval": 12}
    counts = run.results["data_check"]["label_counts"]
    either = sum(bool({"animal", "living"} & set(labels)) for labels in data["labels"])
    assert sum(of["organism"] for of in counts.values()) == either
    # With the probe's weights, the label is as likely as either of its members.
    assert run.predict("the dog is a horse")[0]["organism"] > 0.5


def test_without_eval_data_there_are_no_metrics(multi):
    multi.merge_labels({"organism": ["animal", "living"]}, several())
    run = reopened(multi)
    assert run.results["metrics"] == {}
    assert run.config["thresholds"] is None
    assert run.predict_labels(TEXTS)


def test_windows_of_long_texts_are_pooled(with_three):
    path = with_three.run_dir / "config.json"
    config = json.loads(path.read_text()) | {"long_text": "window"}
    config["tokenize_args"] = {"max_length": 8, "stride": 2}
    path.write_text(json.dumps(config))
    (with_three.run_dir / "manifest.json").write_text('{"files": {}}')
    run = training_run(load=with_three.run_dir)
    result = run.merge_labels({"food": ["plant", "fruit"]}, three(), three(24))
    data = three(24).replace({"fruit": "food", "plant": "food"})
    log_loss = reopened(run).evaluate(data).metrics["log_loss"]
    assert result.metrics["log_loss"] == pytest.approx(log_loss, abs=1e-4)


def test_texts_about_labels_are_rows_of_the_new_layer(with_three):
    path = with_three.run_dir / "config.json"
    texts = {"fruit": "apple", "plant": ["a lemon", "a melon"], "animal": ["a dog", "the cow"]}
    config = json.loads(path.read_text()) | {"label_texts": texts}
    path.write_text(json.dumps(config))
    (with_three.run_dir / "manifest.json").write_text('{"files": {}}')
    run = training_run(load=with_three.run_dir)
    data = three()
    # A label without rows is known by its texts, as in a training.
    run.merge_labels({"food": ["plant", "fruit"]}, data[data["label"] != "animal"])
    again = reopened(run)
    assert again.config["label_texts"] == {
        "animal": ["a dog", "the cow"],
        "food": ["apple", "a lemon", "a melon"],
    }
    assert again.results["head"]["label_texts"] == 5
    assert again.predict_labels(["a dog", "apple"]) == ["animal", "food"]


def test_what_belongs_to_the_old_labels_goes(with_three):
    path = with_three.run_dir / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": 3.0}))
    for folder in ("onnx", "adapter"):
        (with_three.run_dir / folder).mkdir()
        (with_three.run_dir / folder / "README.md").write_text("x")
    manifest = {f"{folder}/README.md": {"size": 1} for folder in ("onnx", "adapter")}
    for entry in manifest.values():
        entry["sha256"] = hashlib.sha256(b"x").hexdigest()
    (with_three.run_dir / "manifest.json").write_text(json.dumps({"files": manifest}))
    run = training_run(load=with_three.run_dir)
    run.merge_labels({"food": ["plant", "fruit"]}, three())
    assert "temperature" not in reopened(run).config
    assert not any((run.run_dir / folder).exists() for folder in ("onnx", "adapter"))


def test_new_names_are_texts_unless_rows_say_otherwise(with_three):
    before = with_three.results["head"]["validation"]["with the names of labels"]
    with_three.merge_labels({"food": ["plant", "fruit"]}, three())
    assert with_three.results["head"]["validation"]["with the names of labels"] != before


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({}, "needs a dict"),
        ({"food": "fruit"}, "must have a list"),
        ({"food": ["friut", "plant"]}, "did you mean 'fruit'"),
        ({"food": ["fruit"], "eat": ["fruit", "plant"]}, "is in both"),
        ({"animal": ["fruit", "plant"]}, "add it to the list"),
        ({"all": THREE}, "at least two names"),
    ],
)
def test_what_cannot_be_merged(groups, said):
    with pytest.raises(ConfigError, match=said):
        checked_merging(THREE, groups)


def test_one_of_the_names_may_stay_and_options_are_merged():
    merging = checked_merging(THREE, {"fruit": ["plant", "fruit"], "beast": ["animal"]})
    assert merging.new == ("beast", "fruit")
    assert [merging.id_of(name) for name in THREE] == [0, 1, 1]
    exchanged = checked_merging(["a", "b", "c"], {"b": ["a"], "a": ["b", "c"]})
    assert [exchanged.id_of(name) for name in "abc"] == [0, 1, 1]
    assert merged_value({"plant": 2.0, "animal": 1}, merging) == {"beast": 1, "fruit": 2.0}
    texts = {"plant": "green", "fruit": ["sweet", "round"]}
    assert merged_value(texts, merging) == {"fruit": ["sweet", "round", "green"]}


def test_data_without_rows_of_a_label_changes_nothing(with_three):
    before = content(with_three.run_dir)
    data = three()
    with pytest.raises(DataFormatError, match="no row of 'animal'"):
        with_three.merge_labels({"food": ["plant", "fruit"]}, data[data["label"] != "animal"])
    assert content(with_three.run_dir) == before
    assert with_three.config["label_names"] == THREE
    assert list(with_three.predict("apple")[0]) == THREE


def test_a_model_that_scores_otherwise_after_saving_is_not_published(with_three, monkeypatch):
    from clx.ml.editing import saved_scores

    before = content(with_three.run_dir)
    monkeypatch.setattr(saved_scores, "LIMIT", -1.0)
    with pytest.raises(ModelError, match="The run is unchanged"):
        with_three.merge_labels({"food": ["plant", "fruit"]}, three())
    assert content(with_three.run_dir) == before
    assert list(with_three.predict("apple")[0]) == THREE


def test_a_model_without_a_linear_layer_is_refused(with_three, monkeypatch):
    from clx.ml.editing import refit

    monkeypatch.setattr(refit, "find_head", lambda *_: None)
    with pytest.raises(ModelError, match="no linear layer"):
        with_three.merge_labels({"food": ["plant", "fruit"]}, three())
