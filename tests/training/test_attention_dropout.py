"""Long texts are trained without the dropout of attention weights; the published config has it."""

import json

import pytest
from transformers import TrainerCallback

from clx.ml import training_run
from clx.ml.training.attention_dropout import LONG, rates_to_leave_out
from clx_tasks_classification import ClassificationRun


class Rates(TrainerCallback):
    """Keeps the rates of a BERT's dropout layers while it is trained."""

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        layers = [layer.attention for layer in model.base_model.encoder.layer]
        # The layer that pools has none anyhow.
        self.attention = max(layer.self.dropout.p for layer in layers)
        self.hidden = layers[0].output.dropout.p


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
    monkeypatch.setattr("clx.ml.training.attention_dropout.LONG", mean)
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
    note = {"attention_probs_dropout_prob": 0.1} if expected == 0.0 else None
    assert run.results.get("attention_dropout_left_out") == note
    assert run.config["model_args"] == model_args


BERT, OTHER = {"attention_probs_dropout_prob": 0.1}, {"attention_dropout": 0.2}


@pytest.mark.parametrize(
    ("config", "lengths", "model_args", "expected"),
    [
        (BERT, [LONG], {}, BERT),
        (OTHER, [10] * 90 + [512] * 10, {}, OTHER),
        (OTHER, [10] * 99 + [512], {}, {}),
        ({**BERT, **OTHER}, [LONG], {}, {**BERT, **OTHER}),
        ({"attn_pdrop": 0.1}, [LONG], {"hidden_dropout_prob": 0.3}, {"attn_pdrop": 0.1}),
        (BERT, [LONG - 1], {}, {}),
        (BERT, [LONG], {"attention_probs_dropout_prob": 0.1}, {}),
        # The name by which some configs take the other one.
        (OTHER, [LONG], {"attention_probs_dropout_prob": 0.1}, {}),
        ({"attention_probs_dropout_prob": 0.0, "attention_dropout": None}, [LONG], {}, {}),
        ({}, [LONG], {}, {}),
        (BERT, [], {}, {}),
        (BERT, None, {}, {}),
    ],
)
def test_which_dropout_is_left_out(tmp_path, config, lengths, model_args, expected):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert rates_to_leave_out(tmp_path, model_args, lengths) == expected


class TakesNothing(ClassificationRun):
    name = "takes-nothing"

    def load_model(self, model_name=None):
        asked, self.model_args = self.model_args, {}
        try:
            return super().load_model(model_name)
        finally:
            self.model_args = asked


class RefusesOthers(ClassificationRun):
    name = "refuses-others"

    def load_model(self, model_name=None):
        if self.model_args:
            raise TypeError("got an unexpected keyword argument")
        return super().load_model(model_name)


@pytest.mark.parametrize("task", [TakesNothing, RefusesOthers])
def test_a_task_that_does_not_take_it_trains_as_its_model_is(tiny_model, fruit, monkeypatch, task):
    monkeypatch.setattr("clx.ml.training.attention_dropout.LONG", 4)
    rates = Rates()
    quick = {"max_steps": 2, "disable_tqdm": True}
    run = task(
        "x", base_model_name=tiny_model, label_names=["fruit", "animal"], training_args=quick
    )
    run.train(fruit, callbacks=[rates])
    assert rates.attention == 0.1
    assert "attention_dropout_left_out" not in run.results


class Breaks(TrainerCallback):
    """Ends a training in its third step: the checkpoint of the second is complete."""

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 3:
            raise RuntimeError("killed")


@pytest.mark.parametrize(("before", "after"), [(4, 1000), (1000, 4)])
def test_a_resumed_training_goes_on_as_it_began(tiny_model, fruit, monkeypatch, before, after):
    # As by another version of clx, with another rule.
    rates = Rates()
    quick = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "disable_tqdm": True}
    run = training_run("classification", "x", base_model_name=tiny_model, training_args=quick)
    monkeypatch.setattr("clx.ml.training.attention_dropout.LONG", before)
    with pytest.raises(RuntimeError, match="killed"):
        run.train(fruit, callbacks=[Breaks()])
    monkeypatch.setattr("clx.ml.training.attention_dropout.LONG", after)
    run.train(fruit, resume=True, callbacks=[rates])
    assert rates.attention == (0.0 if before == 4 else 0.1)
    assert ("attention_dropout_left_out" in run.results) == (before == 4)


def test_what_is_published_is_trained_on_with_its_own_dropout(tiny_model, fruit, monkeypatch):
    monkeypatch.setattr("clx.ml.training.attention_dropout.LONG", 4)
    quick = {"max_steps": 1, "disable_tqdm": True}
    options = {"base_model_name": tiny_model, "training_args": quick}
    first = training_run("classification", "first", **options).train(fruit)
    monkeypatch.setattr("clx.ml.training.attention_dropout.LONG", 1000)
    rates = Rates()
    options["base_model_name"] = str(first.run_dir / "model")
    training_run("classification", "second", **options).train(fruit, callbacks=[rates])
    assert rates.attention == 0.1
