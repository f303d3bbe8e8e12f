"""Base models compared by a probe on their features: scores, costs, candidates, and failures."""

import json
import shutil

import numpy as np
import pytest
from transformers import AutoModel, AutoModelForTokenClassification

from clx.errors import BaseModelWarning, ConfigError, ModelError, ModelNotFoundError
from clx.ml import hookimpl, register_plugin, training_run, unregister_plugin
from clx.ml.model.head import fit_probe
from clx.ml.selection.parameters import count_parameters
from clx.ml.splits import folds
from conftest import fruit_frame, make_tiny_model
from strangers import Minimal, Numbers

QUIET = {"disable_tqdm": True}


@pytest.fixture(autouse=True)
def quick_probe(monkeypatch):
    """Fit the probe with a fixed regularization: to choose it takes most of the time of small data."""
    monkeypatch.setattr(fit_probe, "MIN_COMPARED_ROWS", 1000)


@pytest.fixture(scope="module")
def shallow(tmp_path_factory):
    """A tiny model with one layer."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "shallow", num_hidden_layers=1)


@pytest.fixture(scope="module")
def rows():
    """36 rows, of which a tenth have the wrong label."""
    data = fruit_frame(36)
    data.loc[1::10, "label"] = "animal"
    return data


def make(tiny_model, task="classification", **options):
    # Judging label names by validation takes most of the time of such small data.
    options = {"training_args": QUIET, "label_texts": None, "pooling": "mean", **options}
    return training_run(task, "run", base_model_name=tiny_model, **options)


def test_a_row_for_each_base_the_best_first_and_nothing_changes(
    tiny_model, shallow, rows, own_data_dir
):
    run = make(tiny_model)
    before = dict(run.config)
    frame = run.compare_bases(rows, bases=[tiny_model, shallow])
    assert list(frame.columns) == [
        "base",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "seconds_per_1000",
        "parameters",
    ]
    assert sorted(frame["base"]) == sorted([str(tiny_model), str(shallow)])
    assert list(frame.index) == [0, 1]
    assert frame["accuracy"].is_monotonic_decreasing
    assert (frame["accuracy_low"] <= frame["accuracy"]).all()
    assert (frame["accuracy"] <= frame["accuracy_high"]).all()
    assert (frame["seconds_per_1000"] > 0).all()
    by_base = frame.set_index("base")
    for folder in (tiny_model, shallow):
        model = AutoModel.from_pretrained(folder)
        count = sum(parameter.numel() for parameter in model.parameters())
        assert by_base.loc[str(folder), "parameters"] == count == count_parameters(folder)
    assert frame.attrs["recommended"] in set(frame["base"])
    assert frame.attrs | {"task": "classification", "rows": 36, "folds": 3} == frame.attrs
    assert frame.attrs["metric"] == "accuracy"
    json.dumps(frame.attrs)
    assert dict(run.config) == before
    assert run.label_names is None
    assert not (own_data_dir / "runs").exists()


def test_the_score_is_that_of_cross_validated_probes(tiny_model, shallow, rows, monkeypatch):
    # Without rows to choose by, cross_validate fits the same rows.
    monkeypatch.setattr(folds, "MIN_ROWS", 1000)
    frame = make(tiny_model).compare_bases(rows, bases=[tiny_model, shallow])
    for base in (tiny_model, shallow):
        result = make(base).cross_validate(rows, folds=3, fine_tune=False)
        row = frame[frame["base"] == str(base)].iloc[0]
        for key in ("accuracy", "accuracy_low", "accuracy_high"):
            assert row[key] == pytest.approx(result.metrics[key])


def test_by_another_metric(tiny_model, rows):
    run = make(tiny_model)
    frame = run.compare_bases(rows, bases=[tiny_model], metric="log_loss")
    assert list(frame.columns[1:4]) == ["log_loss", "log_loss_low", "log_loss_high"]
    with pytest.raises(ConfigError, match=r"no metric 'acuracy'; did you mean 'accuracy'\?"):
        run.compare_bases(rows, bases=[tiny_model], metric="acuracy")


def test_imbalanced_labels_are_compared_by_f1(tiny_model, rows):
    few = rows[(rows["label"] == "animal") | (rows.index < 10)]
    frame = make(tiny_model).compare_bases(few, bases=[tiny_model])
    assert frame.attrs["metric"] == "f1_macro"


def test_several_labels_per_row(tiny_model, shallow, rows):
    data = rows.drop(columns="label")
    data["labels"] = [[label, "red"][: 1 + n % 2] for n, label in enumerate(rows["label"])]
    run = make(tiny_model, "multi-label-classification", label_texts=None)
    frame = run.compare_bases(data, bases=[tiny_model, shallow])
    assert list(frame.columns[:4]) == ["base", "f1_micro", "f1_micro_low", "f1_micro_high"]
    assert frame["f1_micro"].between(0.5, 1).all()
    assert run.thresholds is None


def test_a_task_of_numbers_is_compared_by_its_loss(tiny_model, rows):
    run = Numbers("numbers", base_model_name=tiny_model, training_args=QUIET, pooling="mean")
    frame = run.compare_bases(rows, bases=[tiny_model])
    assert frame.attrs["metric"] == "loss"
    assert frame["loss"][0] > 0
    assert frame["loss_low"].isna().all()
    assert frame.attrs["recommended"] == str(tiny_model)


class Tags(Minimal):
    name = "tags"

    def load_model(self, model_name=None):
        return AutoModelForTokenClassification.from_pretrained(model_name, num_labels=2)

    def tokenize(self, examples):
        rows = self.tokenizer(examples["text"], truncation=True)
        return {**rows, "labels": [[0] * len(ids) for ids in rows["input_ids"]]}

    def load_data_collator(self):
        from transformers import DataCollatorForTokenClassification

        return DataCollatorForTokenClassification(self.tokenizer)


def test_a_task_without_a_linear_layer_for_labels(tiny_model, rows):
    run = Tags("tags", base_model_name=tiny_model, training_args=QUIET)
    with pytest.raises(ConfigError, match="not possible for the task 'tags': no linear layer"):
        run.compare_bases(rows, bases=[tiny_model])


# ---- Candidates --------------------------------------------------------------------------------------


def test_runs_are_candidates_by_directory_and_by_name(tiny_model, trained, rows, own_data_dir):
    data = rows.assign(label=np.resize(["x", "y", "z"], len(rows)))
    named = shutil.copytree(trained, own_data_dir / "runs" / "named")
    frame = make(tiny_model).compare_bases(data, bases=[trained, "named", tiny_model])
    assert set(frame["base"]) == {str(trained), "named", str(tiny_model)}
    by_base = frame.set_index("base")
    assert by_base.loc["named", "accuracy"] == by_base.loc[str(trained), "accuracy"]
    assert by_base.loc["named", "parameters"] == count_parameters(named / "model")
    (named / "model" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(OSError, match="damaged"):
        make(tiny_model).compare_bases(data, bases=["named"])


def test_a_folder_comes_before_a_preset_and_a_preset_before_a_run(
    tiny_model, shallow, trained, rows, own_data_dir, tmp_path, monkeypatch
):
    class Plugin:
        @hookimpl
        def clx_resolve_base_model(self, name):
            return shallow if name == "small" else None

    shutil.copytree(trained, own_data_dir / "runs" / "small")
    register_plugin(Plugin)
    try:
        frame = make(tiny_model).compare_bases(rows, bases=["small"])
        assert frame["parameters"][0] == count_parameters(shallow)
    finally:
        unregister_plugin(Plugin)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, tmp_path / "small")
    frame = make(tiny_model).compare_bases(rows, bases=["small"])
    assert frame["parameters"][0] == count_parameters(tiny_model)


def test_the_default_is_the_runs_base_model_and_the_presets(tiny_model, rows):
    with pytest.warns(BaseModelWarning, match="Base models that could not be measured") as seen:
        frame = make(tiny_model).compare_bases(rows)
    assert list(frame["base"]) == [str(tiny_model)]
    assert list(frame.attrs["left_out"]) == ["small", "fast", "best", "multilingual"]
    assert seen[0].filename == __file__


def test_a_base_that_cannot_be_had_does_not_lose_the_others(tiny_model, shallow, rows, tmp_path):
    strange = shutil.copytree(tiny_model, tmp_path / "strange")
    (strange / "model.safetensors").write_bytes(b"nothing")
    bases = ["no/such-model", strange, shallow]
    with pytest.warns(BaseModelWarning, match=r"left out:(.|\n)*no/such-model: There is"):
        frame = make(tiny_model).compare_bases(rows, bases=bases)
    assert list(frame["base"]) == [str(shallow)]
    assert set(frame.attrs["left_out"]) == {"no/such-model", str(strange)}
    assert all("\n" not in reason for reason in frame.attrs["left_out"].values())


def test_if_all_fail_the_error_has_every_reason(tiny_model, rows, tmp_path):
    run = make(tiny_model)
    with pytest.raises(ModelNotFoundError, match="no/such-model"):
        run.compare_bases(rows, bases=["no/such-model"])
    with pytest.raises(ModelNotFoundError, match=r"no/one(.|\n)*no/two"):
        run.compare_bases(rows, bases=["no/one", "no/two"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no/one(.|\n)*no config\.json"):
        run.compare_bases(rows, bases=["no/one", tmp_path / "empty"])


@pytest.mark.parametrize("bases", [[], 5, [5], [""], {"small"}, [None]])
def test_bases_must_be_a_list_of_names(tiny_model, rows, bases):
    with pytest.raises(ConfigError, match="bases must be a list of Hub ids, presets"):
        make(tiny_model).compare_bases(rows, bases=bases)


def test_folds_are_checked_before_anything_is_read(tiny_model):
    with pytest.raises(ConfigError, match="folds must be a whole number of at least 2"):
        make(tiny_model).compare_bases("no-such.csv", bases=[tiny_model], folds=1)
