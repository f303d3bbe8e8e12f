"""The layers that an adapter changes, and the weights that are trained with it."""

import shutil

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    FNetConfig,
    FNetForSequenceClassification,
)

from clx.errors import ConfigError, ModelError
from clx.ml.model.base_models import resolve_base_model
from clx.ml.model.head.pooling import install_pooling
from clx.ml.model.lora.adapter import add_adapter

SETTINGS = {"r": 2, "lora_alpha": 4, "lora_dropout": 0.0}


@pytest.fixture
def model(tiny_model):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=3).eval()


def adapted(model, base, **settings):
    return add_adapter(model, {**SETTINGS, **settings}, None, base)


def ends(adapter):
    return sorted({name.split("layer.", 1)[1] for name in adapter.layers})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"query", "value"}),
        ({"target_modules": ["dense"]}, {"dense"}),
        ({"target_modules": "all-linear"}, {"query", "key", "value", "dense"}),
        ({"target_modules": "all-linear", "exclude_modules": ["dense"]}, {"query", "key", "value"}),
        ({"target_modules": r".*\.(key|value)"}, {"key", "value"}),
    ],
    ids=["default", "by name", "all linear", "all but one", "by pattern"],
)
def test_the_chosen_layers(model, tiny_model, settings, expected):
    install_pooling(model, "mean")
    adapter = adapted(model, tiny_model, **settings)
    assert {name.rpartition(".")[2] for name in adapter.layers} == expected
    # Neither the layer for the pooling nor the head has an adapter.
    assert not [name for name in adapter.layers if "layer.2." in name or "bert" not in name]
    assert adapter.whole == ["classifier", "bert.pooler.dense", "bert.encoder.layer.2"]


def test_chosen_layers_of_the_encoder(model, tiny_model):
    adapter = adapted(model, tiny_model, layers_to_transform=1)
    assert ends(adapter) == ["1.attention.self.query", "1.attention.self.value"]


def test_the_scores_stay_and_only_the_adapter_and_the_head_are_trained(model, tiny_model):
    inputs = torch.tensor([[2, 7, 9, 3]])
    with torch.no_grad():
        before = model(inputs).logits
        adapter = adapted(model, tiny_model, use_dora=True)
        assert torch.allclose(model(inputs).logits, before, atol=1e-6)
    assert {name.rpartition(".")[0] for name in adapter.trained if "lora" not in name} == {
        "classifier"
    }
    adapter.remove()
    assert torch.equal(model(inputs).logits, before)
    assert not hasattr(model, "peft_config")


def test_a_pooler_that_the_base_lacks_is_trained(model, tiny_model, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(tiny_model / "model.safetensors")
    without = {name: value for name, value in weights.items() if "pooler" not in name}
    save_file(without, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert adapted(model, tmp_path).whole == ["classifier", "bert.pooler"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"target_modules": ["query", "values"]},
            "target_modules has values, which no linear layer of the BertForSequenceClassification "
            "matches; did you mean 'value'",
        ),
        ({"target_modules": "nothing"}, "has 'nothing'.*called query, key, value, dense"),
        ({"target_modules": "("}, "not a regular expression"),
        ({"layers_to_transform": [7]}, "leave no layer"),
        (
            {"target_modules": ["classifier"]},
            "target_modules has classifier, which no linear layer",
        ),
    ],
    ids=str,
)
def test_layers_that_are_not_there(model, tiny_model, settings, said):
    with pytest.raises(ConfigError, match=said):
        adapted(model, tiny_model, **settings)


def test_a_model_without_attention(tiny_model):
    sizes = {"vocab_size": 9, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    model = FNetForSequenceClassification(FNetConfig(**sizes))
    with pytest.raises(
        ConfigError, match=r"which layers of a FNet.*target_modules.*called projection, dense"
    ):
        adapted(model, tiny_model)
    assert adapted(model, tiny_model, target_modules=["dense"]).layers


@pytest.mark.parametrize("whole", [True, False])
def test_a_base_model_that_is_an_adapter_is_refused(tiny_model, tmp_path, whole):
    folder = tmp_path / "adapter"
    shutil.copytree(tiny_model, folder)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/base"}')
    if not whole:
        (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"holds an adapter of PEFT.*merge_and_unload"):
        resolve_base_model(str(folder))
