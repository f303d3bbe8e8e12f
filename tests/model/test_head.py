"""Pooling in stock weights, the probe before fine-tuning, and training the head alone."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    CamembertConfig,
    CamembertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.model.head.layer import MOST_TOKENS, find_head, model_batches
from clx.ml.model.head.pooling import checkpoint_pooling, install_pooling, possible_poolings
from conftest import fruit_frame, make_tiny_model
from strangers import Minimal, Numbers

QUIET = {"disable_tqdm": True}
SIZES = {"vocab_size": 40, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SIZES |= {"intermediate_size": 64, "max_position_embeddings": 40, "num_labels": 3}


def random_model(kind):
    torch.manual_seed(0)
    if kind == "distilbert":
        config = DistilBertConfig(
            vocab_size=40, dim=32, n_layers=2, n_heads=2, hidden_dim=64, num_labels=3
        )
        return DistilBertForSequenceClassification(config).eval()
    if kind == "modernbert":
        config = ModernBertConfig(**SIZES, pad_token_id=0, cls_token_id=2, sep_token_id=3)
        return ModernBertForSequenceClassification(config).eval()
    if kind == "roberta":
        return RobertaForSequenceClassification(RobertaConfig(**SIZES, pad_token_id=0)).eval()
    if kind == "camembert":
        return CamembertForSequenceClassification(CamembertConfig(**SIZES, pad_token_id=0)).eval()
    from transformers import BertConfig

    return BertForSequenceClassification(BertConfig(**SIZES)).eval()


def batch():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 40, (6, 9), generator=generator)
    mask = torch.ones_like(ids)
    for row in range(6):
        mask[row, 9 - row :] = 0
    return {"input_ids": ids * mask, "attention_mask": mask}


def head_inputs(model, fed):
    caught = []
    head = find_head(model, fed)
    handle = head.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
    with torch.no_grad():
        model(**fed)
    handle.remove()
    return caught[0]


def last_tokens(model, fed):
    with torch.no_grad():
        return model.base_model(**fed).last_hidden_state


def test_features_are_read_in_batches_that_a_training_has_room_for():
    # As on any device but a CPU, whose batches are smaller; predictions use batches of 16,384 tokens.
    rows = Dataset.from_dict({"input_ids": [[5] * 512] * 20 + [[5] * 9] * 700})
    sizes = []
    model = SimpleNamespace(device=torch.device("meta"))
    for chosen, fed in model_batches(model, rows, collate):
        assert fed["input_ids"].shape[0] == len(chosen)
        sizes.append(fed["input_ids"].numel())
    assert max(sizes) == MOST_TOKENS == 8 * 512


def collate(rows):
    width = max(len(row["input_ids"]) for row in rows)
    ids = [row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows]
    return {"input_ids": torch.tensor(ids)}


# ---- Pooling -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bert", "roberta", "camembert", "distilbert"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_stock_class_computes_the_pooling(kind, pooling, tmp_path):
    model, fed = random_model(kind), batch()
    tokens, mask = last_tokens(model, fed), fed["attention_mask"].unsqueeze(-1)
    expected = tokens[:, 0]
    if pooling == "mean":
        expected = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
    expected = torch.nn.functional.layer_norm(expected, expected.shape[-1:])
    install_pooling(model, pooling)
    found = head_inputs(model, fed)
    found = torch.nn.functional.layer_norm(found, found.shape[-1:])
    assert torch.nn.functional.cosine_similarity(found, expected).min() > 0.998

    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path).eval()
    with torch.no_grad():
        assert torch.allclose(loaded(**fed).logits, model(**fed).logits, atol=1e-6)


def test_own_pooling_of_modernbert():
    model, fed = random_model("modernbert"), batch()
    before = head_inputs(model, fed)
    install_pooling(model, "mean")
    assert model.config.classifier_pooling == "mean"
    assert not torch.allclose(head_inputs(model, fed), before)


def test_what_is_built_for_the_mean_is_not_trained():
    model, fed = random_model("bert"), batch()
    before = {name: value.clone() for name, value in model.named_parameters()}
    install_pooling(model, "mean")
    model.train()
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(**fed, labels=torch.tensor([0, 1, 2, 0, 1, 2])).loss.backward()
    optimiser.step()
    now = dict(model.named_parameters())
    assert not torch.equal(
        now["bert.encoder.layer.0.output.dense.weight"],
        before["bert.encoder.layer.0.output.dense.weight"],
    )
    assert now["bert.encoder.layer.2.output.dense.weight"].abs().max() == 0
    pooler = now["bert.pooler.dense.weight"]
    assert torch.equal(pooler, torch.diag(torch.diag(pooler)))


def test_a_number_of_layers_among_model_args_leaves_the_model_alone():
    assert possible_poolings(random_model("bert"), {"num_hidden_layers": 2}) == ("model",)
    assert "mean" in possible_poolings(random_model("bert"), {})


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"1_Pooling/config.json": {"pooling_mode_mean_tokens": True}}, "mean"),
        ({"1_Pooling/config.json": {"pooling_mode_cls_token": True}}, "cls"),
        ({"1_Pooling/config.json": {"pooling_mode": "cls"}}, "cls"),
        ({"1_Pooling/config.json": {"pooling_mode_max_tokens": True}}, None),
        (
            {"1_Pooling/config.json": {"pooling_mode_max_tokens": True,
                                       "pooling_mode_mean_tokens": True}},
            None,
        ),
        (
            {
                "modules.json": [{"type": "x.Transformer", "path": ""},
                                 {"type": "x.models.Pooling", "path": "2_Pooling"}],
                "2_Pooling/config.json": {"pooling_mode_cls_token": True},
            },
            "cls",
        ),
        ({"modules.json": [{"type": "Pooling", "path": "../outside"}]}, None),
        ({"1_Pooling/config.json": "[["}, None),
    ],
)  # fmt: skip
def test_pooling_that_a_checkpoint_names(files, expected, tmp_path):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert checkpoint_pooling(tmp_path) == expected


# ---- The probe through a run -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mean_model(tmp_path_factory) -> Path:
    """A tiny random BERT whose folder says that it was trained with the mean."""
    folder = make_tiny_model(tmp_path_factory.mktemp("models") / "mean")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    return folder


def make(model, name="head", **options):
    options.setdefault("training_args", QUIET)
    return training_run("classification", name, base_model_name=model, **options)


def test_a_head_alone_is_usable_and_leaves_the_base_model_as_it_was(mean_model, fruit):
    run = make(mean_model)
    result = run.train(fruit, fruit_frame(12), fine_tune=False)
    assert (result.steps, result.epochs) == (0, 0.0)
    assert result.metrics["accuracy"] > 0.9
    head = run.results["head"]
    assert head["pooling"] == "mean"
    assert head["pooling_chosen_by"] == "checkpoint"
    assert head["init"] == "probe"
    assert head["probe_rows"] == 40
    assert head["score_difference"] < 1e-5
    base = AutoModelForSequenceClassification.from_pretrained(mean_model).state_dict()
    trained = run.model.state_dict()
    for name, value in base.items():
        if name.startswith(("bert.embeddings", "bert.encoder")):
            assert torch.equal(trained[name].cpu(), value), name


def test_plain_transformers_loads_what_is_published(mean_model, fruit):
    run = make(mean_model)
    run.train(fruit, fine_tune=False)
    model = AutoModelForSequenceClassification.from_pretrained(run.run_dir / "model")
    assert type(model) is BertForSequenceClassification
    tokenizer = AutoTokenizer.from_pretrained(run.run_dir / "model")
    with torch.no_grad():
        logits = model.eval()(**tokenizer("the apple is red", return_tensors="pt")).logits
    ours = run.predict("the apple is red")[0]
    assert list(ours.values()) == pytest.approx(logits.softmax(dim=1)[0].tolist(), abs=1e-5)


def test_fine_tuning_begins_at_the_probe(mean_model, fruit):
    alone, tuned = (
        make(mean_model, "alone"),
        make(mean_model, "tuned", training_args={**QUIET, "learning_rate": 0.0, "max_steps": 1}),
    )
    alone.train(fruit, fine_tune=False)
    tuned.train(fruit)
    texts = fruit["text"].tolist()
    for one, other in zip(alone.predict(texts), tuned.predict(texts), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_a_random_head_on_its_own_pooling_is_the_model_as_it_was_loaded(mean_model, fruit):
    run = make(mean_model, head_init="random", pooling="model",
               training_args={**QUIET, "max_steps": 1})  # fmt: skip
    run.train(fruit)
    assert run.results["head"]["init"] == "random"
    assert run.model.config.num_hidden_layers == 2


def test_training_a_published_run_further_adds_no_second_layer(mean_model, fruit):
    first = make(mean_model, "first")
    first.train(fruit, fine_tune=False)
    second = make(first.run_dir / "model", "second")
    second.train(fruit, fine_tune=False)
    assert second.results["head"]["pooling"] == "mean"
    assert second.model.config.num_hidden_layers == first.model.config.num_hidden_layers == 3


def test_without_a_word_of_the_checkpoint_the_pooling_is_chosen_by_validation(tiny_model, fruit):
    run = make(tiny_model)
    run.train(fruit, fine_tune=False)
    head = run.results["head"]
    assert head["pooling_chosen_by"] == "validation"
    assert {"pooling mean", "pooling cls", "pooling model"} <= set(head["validation"])


def test_nothing_is_tokenised_twice(mean_model, fruit, monkeypatch):
    run = make(mean_model)
    seen = []
    original = type(run).tokenize
    monkeypatch.setattr(
        type(run), "tokenize", lambda self, rows: seen.extend(rows["text"]) or original(self, rows)
    )
    run.train(fruit, fine_tune=False)
    assert sorted(seen[: len(fruit)]) == sorted(fruit["text"])
    # The check before the publication scores a few rows, of the trained and of the opened model.
    assert len(seen) <= len(fruit) + 2 * 16


def test_several_labels_a_row(mean_model):
    texts = fruit_frame()["text"]
    labels = [[word for word in ("red", "big", "is") if word in text.split()] for text in texts]
    frame = pd.DataFrame({"text": texts, "labels": labels})
    run = training_run("multilabel", "several", base_model_name=mean_model, training_args=QUIET)
    run.train(frame, fine_tune=False)
    scores = run.predict("the apple is a dog and the big red and the big red")[0]
    assert min(scores.values()) > 0.5
    assert max(run.predict("apple")[0].values()) < 0.5


# ---- Strangers' tasks and errors ---------------------------------------------------------------------


class OptedIn(Minimal):
    name = "opted-in"
    head_init = "probe"
    pooling = "auto"


def test_a_strangers_task_is_left_alone_unless_it_opts_in(mean_model, fruit):
    options = {"base_model_name": mean_model, "training_args": {**QUIET, "max_steps": 1}}
    left = Minimal("left", **options)
    left.train(fruit)
    assert left.config["head_init"] == "random"
    assert left.results["head"]["init"] == "random"
    assert left.model.config.num_hidden_layers == 2
    opted = OptedIn("opted", **options)
    opted.train(fruit)
    assert opted.config["head_init"] == "probe"
    assert opted.results["head"]["init"] == "probe"
    assert opted.results["head"]["pooling"] == "mean"


def test_numbers_are_fitted_by_ridge(mean_model, fruit):
    run = Numbers("numbers", base_model_name=mean_model, training_args=QUIET)
    run.train(fruit, fine_tune=False)
    inputs = run.tokenizer(["apple", fruit["text"].max()], padding=True, return_tensors="pt")
    inputs = inputs.to(run.model.device)
    with torch.no_grad():
        short, long = run.model(**inputs).logits[:, 0].tolist()
    assert abs(short - 5) < 6
    assert abs(long - len(fruit["text"].max())) < 6


def test_a_head_alone_needs_the_probe(mean_model, fruit):
    run = make(mean_model, head_init="random")
    with pytest.raises(ConfigError, match="head_init='probe'"):
        run.train(fruit, fine_tune=False)
    assert not run.is_trained


def test_a_pooling_that_the_model_cannot_have(mean_model, fruit):
    run = make(mean_model, pooling="mean", model_args={"num_hidden_layers": 2})
    with pytest.raises(ConfigError, match="pooling='mean' is not available for a Bert"):
        run.train(fruit, fine_tune=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_init": "prob"}, "head_init must be one of .* did you mean 'probe'"),
        ({"pooling": "max"}, "pooling must be one of"),
        ({"calibrate": "yes"}, "calibrate must be true or false"),
        ({"class_weights": "balance"}, "class_weights must be 'balanced' or a dict"),
        ({"class_weights": {"a": -1}, "label_names": ["a", "b"]}, "must be a number above 0"),
        ({"class_weights": {"c": 1}, "label_names": ["a", "b"]}, "'c', which is not a label"),
    ],
)
def test_wrong_options_are_refused_when_the_run_is_made(options, message):
    with pytest.raises(ConfigError, match=message):
        training_run("classification", "x", **options)


def test_options_survive_being_saved(mean_model, fruit):
    run = make(mean_model, pooling="cls", calibrate=False)
    run.train(fruit, fine_tune=False)
    opened = training_run(load=run.run_dir)
    assert (opened.pooling, opened.head_init, opened.calibrate) == ("cls", "probe", False)
    assert opened.results["head"]["pooling"] == "cls"
