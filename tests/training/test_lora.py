"""lora=True: an adapter and the head are trained, and the published model is a plain one."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    TrainerCallback,
)

from clx.errors import ClxWarning, MissingDependencyError, RunDirError
from clx.ml import training_run
from conftest import fruit_frame

FAST = {"disable_tqdm": True, "max_steps": 3, "learning_rate": 1e-2}
TEXTS = ["the cat is red", "an apple and a banana", "two"]


def make(model, name="adapted", task="classification", **options):
    arguments = {**FAST, **options.pop("training_args", {})}
    return training_run(
        task, name, base_model_name=model, training_args=arguments, **{"lora": True, **options}
    )


@pytest.fixture(scope="module")
def kept(tiny_model, tmp_path_factory):
    """A run that keeps its adapter, with a layer for the pooling and a calibrated head."""
    run = make(
        tiny_model,
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        lora_merge=False,
        head_init="random",
        pooling="mean",
        class_weights="balanced",
        training_args={"max_steps": 6, "eval_strategy": "steps", "eval_steps": 3},
    )
    run.train(fruit_frame(), fruit_frame(64))
    return run


def logits(model, run):
    batch = AutoTokenizer.from_pretrained(run.run_dir / "model")(
        TEXTS, padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        return model.eval()(**batch).logits


def trained_weights(run):
    return load_file(run.run_dir / "model" / "model.safetensors")


def changed(run, base):
    """Return the names of the base model's weights that the training changed."""
    before = {
        f"bert.{name}": value for name, value in load_file(base / "model.safetensors").items()
    }
    after = trained_weights(run)
    return {
        name
        for name, value in before.items()
        if "pooler" not in name and not torch.equal(value, after[name])
    }


def test_the_published_model_is_plain(kept, tiny_model):
    names = set(trained_weights(kept))
    assert names
    assert not [name for name in names if "lora" in name or "base_layer" in name]
    assert not (kept.run_dir / "model" / "adapter_config.json").exists()
    plain = AutoModelForSequenceClassification.from_pretrained(kept.run_dir / "model")
    expected = logits(plain, kept).softmax(-1)
    found = [{each["label"]: each["score"] for each in row} for row in kept.pipe(TEXTS, top_k=None)]
    assert [[row["animal"], row["fruit"]] for row in found] == [
        pytest.approx(row, abs=1e-5) for row in expected.tolist()
    ]
    assert changed(kept, tiny_model) == {
        f"bert.encoder.layer.{number}.attention.self.{part}.weight"
        for number in (0, 1)
        for part in ("query", "value")
    }


# PEFT 0.21 asks a model of transformers 5.23 for an attribute under its old name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_peft_adds_the_kept_adapter_to_the_base_model(kept, tiny_model):
    config = AutoConfig.from_pretrained(kept.run_dir / "model")
    base = AutoModelForSequenceClassification.from_pretrained(tiny_model, config=config)
    adapted = PeftModel.from_pretrained(base, kept.run_dir / "adapter")
    assert logits(adapted, kept) == pytest.approx(logits(kept.model, kept), abs=1e-5)
    with adapted.disable_adapter():
        assert logits(adapted, kept) != pytest.approx(logits(kept.model, kept), abs=1e-2)
    assert kept.results["calibration"]["temperature"] != 1
    stored = json.loads((kept.run_dir / "adapter" / "adapter_config.json").read_text())
    assert stored["base_model_name_or_path"] == str(tiny_model.resolve())


def test_the_results_say_what_was_trained(kept):
    lora = kept.results["lora"]
    assert (lora["r"], lora["lora_alpha"], lora["layers"]) == (8, 16, ["query", "value"])
    # Two layers with two matrices of 32 by 8 for query and value each, and a head of 2 by 33.
    assert lora["trained_weights"] == 2 * 2 * 2 * 32 * 8 + 2 * 33
    assert lora["merge_difference"] < 1e-5
    assert kept.config["lora"] is True
    assert kept.config["lora_merge"] is False
    assert "A LoRA adapter of rank 8" in (kept.run_dir / "model" / "README.md").read_text()


def test_the_manifest_covers_the_adapter(kept, tmp_path):
    copy = shutil.copytree(kept.run_dir, tmp_path / "copy")
    training_run(load=copy, verify=True)
    weights = copy / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(RunDirError, match=r"adapter/adapter_model.safetensors"):
        training_run(load=copy)


def test_opening_and_predicting_need_no_peft_and_training_says_so(kept, monkeypatch, fruit):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "peft" else find(name)
    )
    opened = training_run(load=kept.run_dir)
    assert opened.predict(TEXTS) == kept.predict(TEXTS)
    with pytest.raises(MissingDependencyError, match="clx-core"):
        opened.train(fruit, fruit, overwrite=True)
    assert opened.predict(TEXTS) == kept.predict(TEXTS)


class StopAt(TrainerCallback):
    def __init__(self, step):
        self.step = step
        self.files = []

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            folder = f"{args.output_dir}/checkpoint-{self.step - 1}"
            self.files = sorted(path.name for path in Path(folder).iterdir())
            raise KeyboardInterrupt


def test_a_resumed_training_gives_the_same_weights(tiny_model, fruit):
    arguments = {"max_steps": 5, "save_strategy": "steps", "save_steps": 2}
    whole, broken = (
        make(tiny_model, name, training_args=arguments) for name in ("whole", "broken")
    )
    whole.train(fruit)
    stop = StopAt(3)
    with pytest.raises(KeyboardInterrupt):
        broken.train(fruit, callbacks=[stop])
    assert "trained.safetensors" in stop.files
    assert "model.safetensors" not in stop.files
    assert broken.train(fruit, resume=True).steps == 5
    expected, found = trained_weights(whole), trained_weights(broken)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


class Ruin(TrainerCallback):
    """Spoils the adapter after the first evaluation."""

    def on_evaluate(self, args, state, control, model=None, **kwargs):
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.mul_(-30)


def test_the_best_adapter_is_published(tiny_model, fruit):
    steps = {"eval_strategy": "steps", "eval_steps": 2, "max_steps": 4, "learning_rate": 1e-3}
    run = make(tiny_model, head_init="random", pooling="model", training_args=steps)
    result = run.train(fruit, fruit_frame(12), callbacks=[Ruin()])
    assert result.kept == pytest.approx(2 / 3, abs=1e-3)
    assert result.metrics["loss"] < 1
    assert training_run(load=run.run_dir).evaluate(fruit_frame(12)).metrics["loss"] == (
        pytest.approx(result.metrics["loss"], rel=1e-4)
    )


def test_a_better_probe_is_kept_without_an_adapter(tiny_model, fruit):
    ruinous = {"learning_rate": 5.0, "max_steps": -1, "num_train_epochs": 2}
    run = make(tiny_model, lora_merge=False, training_args=ruinous)
    assert run.train(fruit, fruit_frame(30)).kept == "probe"
    assert not (run.run_dir / "adapter").exists()
    assert changed(run, tiny_model) == set()


def test_too_little_time_gives_the_probe_without_an_adapter(tiny_model, fruit):
    run = make(tiny_model, lora_merge=False)
    result = run.train(fruit, time_budget=0.001)
    assert (result.kept, result.stopped) == ("probe", "time_budget")
    assert not (run.run_dir / "adapter").exists()
    assert changed(run, tiny_model) == set()


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
def test_gradient_checkpointing_and_bf16_train_the_adapter(tiny_model, fruit):
    arguments = {
        "gradient_checkpointing": True,
        # No gradient passes through inputs without one.
        "gradient_checkpointing_kwargs": {"use_reentrant": True},
        "bf16": True,
    }
    run = make(tiny_model, device="cpu", training_args=arguments)
    run.train(fruit)
    assert len(changed(run, tiny_model)) == 4


def test_a_base_model_in_half_precision_is_merged_and_opens(tiny_model, fruit):
    run = make(tiny_model, model_args={"dtype": "bfloat16"}, pooling="model", lora_merge=False)
    with pytest.warns(ClxWarning, match="Merging the adapter changed a score.*bfloat16"):
        run.train(fruit)
    assert run.model.dtype is torch.bfloat16
    adapter = load_file(run.run_dir / "adapter" / "adapter_model.safetensors")
    assert {value.dtype for name, value in adapter.items() if "lora_" in name} == {torch.float32}


def test_several_labels_and_a_cross_validation(tiny_model, fruit):
    rows = fruit.assign(labels=[[label, "red"] for label in fruit["label"]])[["text", "labels"]]
    run = make(tiny_model, task="multi-label-classification", lora={"r": 2})
    run.train(rows)
    assert len(changed(run, tiny_model)) == 4
    result = make(tiny_model, "folds").cross_validate(fruit, folds=2)
    assert 0 <= result.metrics["accuracy"] <= 1
