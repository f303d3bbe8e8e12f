"""An author's ``load_model`` built a model from a config: random weights in the opened run."""

import json
import shutil

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, BertConfig, DataCollatorForLanguageModeling

from clx.errors import ConfigError, ModelError, RunDirError
from clx.ml import TrainingRun, task_registry, training_run
from clx.ml.data import column_problems, raise_data_problems
from clx.ml.model.saved_weights import different_weights, weight_problems
from conftest import WORDS, mixed_texts

TEXTS = pd.DataFrame({"text": mixed_texts()[:24]})
QUIET = {"disable_tqdm": True, "max_steps": 2, "per_device_train_batch_size": 4}
CONFIG = {"vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 1}
CONFIG |= {"num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 40}
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")


class FromScratch(TrainingRun):
    """Builds a new model if there is a config."""

    name = "from-scratch"
    dataset_cols = ["input_ids", "attention_mask"]

    def validate_data_format(self, data):
        raise_data_problems(column_problems(data, ["text"]), "a column text")

    def load_model(self, model_name=None):
        config = self.model_args.get("config")
        if config is not None:
            return AutoModelForMaskedLM.from_config(BertConfig(**config))
        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)

    def load_data_collator(self):
        return DataCollatorForLanguageModeling(self.tokenizer)


class AlwaysFromScratch(FromScratch):
    """Never looks at the folder."""

    name = "always-from-scratch"

    def load_model(self, model_name=None):
        return AutoModelForMaskedLM.from_config(BertConfig(**self.model_args["config"]))


class Stubborn(FromScratch):
    """Has a config of its own, and never looks at the folder either."""

    name = "stubborn"
    broken = True

    def load_model(self, model_name=None):
        if self.broken:
            return AutoModelForMaskedLM.from_config(BertConfig(**CONFIG))
        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)


TASKS = (FromScratch, AlwaysFromScratch, Stubborn)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for task in TASKS:
        task_registry.register(task)
    yield
    for task in TASKS:
        task_registry.unregister(task.name)


def make(tiny_model, task="from-scratch", **options):
    options = {"base_model_name": str(tiny_model), "training_args": QUIET, **options}
    return training_run(task, f"run-{task}", **options)


def test_a_config_is_of_the_base_and_the_run_has_the_saved_weights(tiny_model):
    run = make(tiny_model, model_args={"config": CONFIG})
    # The new model reads fewer tokens than the base model, whose tokenizer it has.
    assert run.tokenizer.model_max_length == 40
    metrics = run.train(TEXTS, TEXTS).metrics
    saved = load_file(run.run_dir / "model" / "model.safetensors")
    opened = training_run(load=run.run_dir)
    for each in (run, opened):
        assert each.model.config.hidden_size == 16
        embeddings = each.model.get_input_embeddings().weight
        assert torch.equal(embeddings, saved["bert.embeddings.word_embeddings.weight"])
    assert opened.evaluate(TEXTS).metrics["loss"] == pytest.approx(metrics["loss"], rel=0.2)
    more = opened.continue_training(TEXTS, name="more", training_args=QUIET)
    assert more.run_dir.is_dir()


def test_one_that_ignores_the_folder_is_refused_before_the_training(tiny_model):
    run = make(tiny_model, "always-from-scratch", model_args={"config": CONFIG})
    with pytest.raises(ModelError, match=r"could not be opened again.*model_args\['config'\]"):
        run.train(TEXTS)
    assert not run.run_dir.exists()


def test_random_weights_never_answer(tiny_model, monkeypatch):
    monkeypatch.setattr(Stubborn, "broken", False)
    run = make(tiny_model, "stubborn", model_args=CONFIG | {"ignore_mismatched_sizes": True})
    run.train(TEXTS)
    monkeypatch.setattr(Stubborn, "broken", True)
    with pytest.raises(RunDirError, match="did not return the weights in its file"):
        _ = training_run(load=run.run_dir).model
    with pytest.raises(RunDirError, match="did not return the weights in its file"):
        training_run(load=run.run_dir).continue_training(TEXTS, name="more")


def test_what_needs_trust_is_refused_when_the_run_is_made(tiny_model):
    for given in ({"use_kernels": True}, {"config": "other/model"}, {"config": {"auto_map": {}}}):
        with pytest.raises(ConfigError, match="a saved run would open with it only if"):
            make(tiny_model, model_args=given)
        make(tiny_model, model_args=given, trust_remote_code=True)


def test_a_strangers_config_that_is_no_plain_value_is_refused(trained):
    config = json.loads((trained / "config.json").read_text())
    for given, opens in (("other/model", False), ({"auto_map": {}}, False), (CONFIG, True)):
        config["model_args"] = {"config": given}
        (trained / "config.json").write_text(json.dumps(config))
        manifest = json.loads((trained / "manifest.json").read_text())
        manifest["files"].pop("config.json", None)
        (trained / "manifest.json").write_text(json.dumps(manifest))
        if opens:
            assert len(training_run(load=trained).predict(["a cat"])[0]) == 2
        else:
            with pytest.raises(RunDirError, match="which can fetch code or files"):
                training_run(load=trained)


# ---- What counts as equal --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tiny_model):
    return tiny_model


def model_in(folder, **options):
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("back", [False, True])
def test_rounded_weights_are_equal(tiny_model, dtype, back):
    model = model_in(tiny_model, dtype=dtype)
    model = model.float() if back else model
    assert not list(weight_problems(model, tiny_model))


def test_a_file_in_half_precision_equals_its_float_model(tiny_model, tmp_path):
    model = model_in(tiny_model).half()
    model.save_pretrained(tmp_path)
    assert not list(weight_problems(model_in(tmp_path, dtype=torch.float32), tmp_path))


def test_shards_are_read(tiny_model, tmp_path):
    model = model_in(tiny_model)
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    assert not list(weight_problems(model_in(tmp_path), tmp_path))
    with torch.no_grad():
        model.encoder.layer[1].output.dense.weight[-1, -1] += 1e-3
    assert different_weights(model.state_dict(), tmp_path)


def test_what_differs_is_named(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "m")
    model, file = model_in(tiny_model), tmp_path / "m" / "model.safetensors"
    weights = load_file(file)
    save_file({**weights, "head.weight": torch.ones(2)}, file, {"format": "pt"})
    (said,) = weight_problems(model, tmp_path / "m")
    assert "'head.weight', which load_model() does not use" in said
    key = "embeddings.word_embeddings.weight"
    save_file({**weights, key: weights[key][:-1].clone()}, file, {"format": "pt"})
    (said,) = weight_problems(model, tmp_path / "m")
    assert "have other shapes" in said
