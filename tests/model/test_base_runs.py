"""A trained run as a base model: found by its directory or name, and recorded by name and content."""

import json
import os
import shutil

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from clx.errors import ModelError, ModelNotFoundError, RunDirError
from clx.ml import hookimpl, training_run
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.base_runs import run_called
from clx.ml.model.head.pooling import forget_pooling, install_pooling, layers_without_pooling
from clx.ml.plugins.manager import plugins

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")


@pytest.fixture
def default_folder(own_data_dir):
    folder = own_data_dir / "runs"
    folder.mkdir()
    return folder


def test_a_run_directory_stands_for_its_model(trained):
    assert resolve_base_model(str(trained)) == trained / "model"
    assert resolve_base_model(str(trained), weights=False) == trained / "model"
    assert resolve_base_model(str(trained / "model")) == trained / "model"


def test_a_name_is_looked_up_beside_the_new_run_and_then_in_the_default_folder(
    trained, default_folder, tmp_path
):
    with pytest.raises(ModelNotFoundError):
        resolve_base_model("trained")
    near = shutil.copytree(trained, tmp_path / "near" / "trained")
    assert resolve_base_model("trained", near=near.parent) == near / "model"
    default = shutil.copytree(trained, default_folder / "trained")
    assert resolve_base_model("trained") == default / "model"
    assert resolve_base_model("trained", near=near.parent) == near / "model"
    with pytest.raises(ModelNotFoundError, match="no run of that name; did you mean 'trained'"):
        resolve_base_model("traned")
    # A name is not a path.
    assert run_called("../runs/trained") is None


def test_folders_and_plugins_come_before_the_name_of_a_run(
    trained, tiny_model, default_folder, tmp_path, monkeypatch
):
    shutil.copytree(trained, default_folder / "small")
    monkeypatch.chdir(tmp_path)

    class Presets:
        @hookimpl
        def clx_resolve_base_model(self, name):
            return tiny_model if name == "small" else None

    presets = Presets()
    plugins().register(presets)
    try:
        assert resolve_base_model("small") == tiny_model
        here = shutil.copytree(tiny_model, tmp_path / "small")
        assert resolve_base_model("small") == here
    finally:
        plugins().unregister(presets)


def test_a_damaged_or_unsafe_run_is_refused(trained):
    (trained / "model" / "adapter_config.json").write_text("{}")
    with pytest.raises(RunDirError, match="not loaded"):
        resolve_base_model(str(trained))
    (trained / "model" / "adapter_config.json").unlink()
    (trained / "results.json").unlink()
    with pytest.raises(RunDirError, match=r"damaged: results.json"):
        resolve_base_model(str(trained))


def test_training_from_a_run_with_other_labels(trained, fruit, monkeypatch):
    rows = fruit.assign(label=[("a", "b", "c")[number % 3] for number in range(len(fruit))])
    run = training_run(
        "classification", "other", run_dir_parent=trained.parent, base_model_name=str(trained)
    )
    # The name finds the same run, and stays right when the folder moves.
    assert run.base_model_name == "trained"
    run.train(rows, fine_tune=False)
    config = json.loads((run.run_dir / "config.json").read_text())
    earlier = training_run(load=trained)
    assert config["base_model_name"] == "trained"
    assert config["base_run"]["run_name"] == "trained"
    assert config["base_run"]["base_model_name"] == earlier.base_model_name
    assert str(trained) not in json.dumps(config)
    encoder, new = earlier.model.state_dict(), run.model.state_dict()
    assert new["bert.encoder.layer.0.output.dense.weight"].equal(
        encoder["bert.encoder.layer.0.output.dense.weight"]
    )
    assert "base_model:" not in (run.run_dir / "model" / "README.md").read_text()
    moved = trained.parent.rename(trained.parent.with_name("moved"))
    again = training_run(load=moved / "other")
    again.train(rows, overwrite=True, fine_tune=False)
    assert again.base_model_name == "trained"


def test_a_path_stays_where_its_name_would_find_something_else(
    trained, tiny_model, tmp_path, monkeypatch
):
    options = {"run_dir_parent": trained.parent, "base_model_name": str(trained)}
    elsewhere = {**options, "run_dir_parent": tmp_path / "elsewhere"}
    assert training_run("classification", "a", **elsewhere).base_model_name == str(trained)
    preset = trained.rename(trained.with_name("best"))
    named = {**options, "base_model_name": str(preset)}
    assert training_run("classification", "b", **named).base_model_name == str(preset)
    monkeypatch.chdir(tmp_path)
    preset.rename(trained)
    os.makedirs("here/trained")
    monkeypatch.chdir("here")
    assert training_run("classification", "c", **options).base_model_name == str(trained)


def test_other_sizes_of_the_encoder_are_refused(trained, fruit):
    options = {"base_model_name": str(trained), "model_args": {"intermediate_size": 48}}
    run = training_run("classification", "narrow", run_dir_parent=trained.parent, **options)
    with pytest.raises(ModelError, match="do not fit this run"):
        run.train(fruit, fine_tune=False)


def test_the_layer_of_the_mean_is_left_out_for_models_of_tokens(tiny_model, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model)
    install_pooling(model, "mean")
    model.save_pretrained(tmp_path / "pooled")
    assert layers_without_pooling(model) == {}
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path / "pooled")
    changed = layers_without_pooling(loaded)
    assert changed == {"num_hidden_layers": 2}
    tokens = AutoModelForTokenClassification.from_pretrained(tmp_path / "pooled", **changed)
    forget_pooling(tokens)
    tokens.save_pretrained(tmp_path / "tokens")
    assert not hasattr(AutoConfig.from_pretrained(tmp_path / "tokens"), "clx_pooling")
    ids = {"input_ids": torch.tensor([[2, 5, 6, 3]])}
    with torch.no_grad():
        before = model.base_model.eval()(**ids, output_hidden_states=True).hidden_states[2]
        after = tokens.base_model.eval()(**ids).last_hidden_state
    assert torch.allclose(before, after, atol=1e-6)
