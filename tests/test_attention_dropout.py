"""Long texts are trained without the dropout of attention weights; the published config has it."""

import json

import pytest
from transformers import TrainerCallback

from clx.ml import training_run
from clx.ml.attention_dropout import LONG, left_out


class Rates(TrainerCallback):
    """Keeps the rates of a BERT's dropout layers while it is trained."""

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        layer = model.base_model.encoder.layer[0]
        self.attention = layer.attention.self.dropout.p
        self.hidden = layer.attention.output.dropout.p


@pytest.mark.parametrize(
    ("mean", "model_args", "expected"),
    [
        (4, {}, 0.0),
        (4, {"attention_probs_dropout_prob": 0.3}, 0.3),
        (1000, {}, 0.1),
    ],
)
def test_trainings_on_long_texts_do_without(
    tiny_model, fruit, monkeypatch, mean, model_args, expected
):
    monkeypatch.setattr("clx.ml.attention_dropout.LONG", mean)
    rates = Rates()
    run = training_run(
        "classification",
        "long",
        base_model_name=tiny_model,
        model_args=model_args,
        training_args={"max_steps": 2, "disable_tqdm": True},
    )
    result = run.train(fruit, callbacks=[rates])
    assert rates.attention == expected
    assert rates.hidden == 0.1
    saved = json.loads((result.run_dir / "model" / "config.json").read_text())
    assert saved["attention_probs_dropout_prob"] == model_args.get(
        "attention_probs_dropout_prob", 0.1
    )
    note = run.results.get("attention_dropout_left_out")
    assert (note is not None) == (expected == 0.0)
    if note is not None:
        assert note["name"] == "attention_probs_dropout_prob"
        assert note["of_the_model"] == 0.1
        assert 4 < note["tokens"] < 20
    assert run.config["model_args"] == model_args


@pytest.mark.parametrize(
    ("config", "lengths", "name"),
    [
        ({"attention_probs_dropout_prob": 0.1}, [LONG], "attention_probs_dropout_prob"),
        ({"attention_dropout": 0.1}, [10] * 90 + [512] * 10, "attention_dropout"),
        ({"attention_dropout": 0.1}, [10] * 99 + [512], None),
        ({"attention_probs_dropout_prob": 0.1}, [LONG - 1], None),
        ({"attention_probs_dropout_prob": 0.0}, [LONG], None),
        ({"attention_dropout": None}, [LONG], None),
        ({}, [LONG], None),
        ({"attention_dropout": 0.1}, [], None),
        ({"attention_dropout": 0.1}, None, None),
    ],
)
def test_which_dropout_is_left_out(tmp_path, config, lengths, name):
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = left_out(tmp_path, {}, lengths)
    assert (found and found.name) == name


def test_what_is_published_is_trained_on_with_its_own_dropout(tiny_model, fruit, monkeypatch):
    monkeypatch.setattr("clx.ml.attention_dropout.LONG", 4)
    quick = {"max_steps": 1, "disable_tqdm": True}
    options = {"base_model_name": tiny_model, "training_args": quick}
    first = training_run("classification", "first", **options).train(fruit)
    monkeypatch.setattr("clx.ml.attention_dropout.LONG", 1000)
    rates = Rates()
    options["base_model_name"] = str(first.run_dir / "model")
    training_run("classification", "second", **options).train(fruit, callbacks=[rates])
    assert rates.attention == 0.1
