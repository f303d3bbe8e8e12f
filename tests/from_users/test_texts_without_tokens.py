"""A user predicted "" with a tokenizer that adds no special tokens: torch raised a RuntimeError."""

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer

from architectures import SAME, TEXTS, Subject, by_batch, difference, frame
from clx.ml import training_run
from clx.ml.data.no_tokens import stand_in, with_tokens
from zoo import GPT, NARROW, Architecture

# Decoders are among the models.
pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.BaseModelWarning")

EMPTY = ["", " ", "Яблоко", "日本"]
BERT = Architecture("bert", "gpt", {**NARROW, "num_hidden_layers": 1})


def without_tokens(run):
    return [text for text in EMPTY if not run.tokenizer(text)["input_ids"]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a decoder: its tokenizer adds nothing, and knows some Latin letters only."""
    return Subject(Architecture("gpt2", "gpt", GPT), tmp_path_factory.mktemp("gpt")).trained()


def test_every_text_has_a_prediction_alone_and_beside_others(run):
    assert len(without_tokens(run)) >= 3
    for text in EMPTY:
        (alone,) = run.predict([text])
        assert sum(alone.values()) == pytest.approx(1)
        assert np.isfinite(list(alone.values())).all()
    assert difference([run.predict(text)[0] for text in EMPTY], run.predict(EMPTY)) < SAME
    assert len(run.predict(EMPTY, batch_size=1)) == len(EMPTY)
    assert by_batch(run) < SAME


def test_the_pipeline_and_files_predict_them_too(run, tmp_path):
    assert len(run.pipe("", top_k=None)) == 2
    pd.DataFrame({"text": ["", "apple"]}).to_json(
        tmp_path / "a.jsonl", orient="records", lines=True
    )
    run.predict_file(tmp_path / "a.jsonl", tmp_path / "b.csv")
    assert len(pd.read_csv(tmp_path / "b.csv")) == 2


def test_rows_of_an_evaluation_and_of_a_training(run, tmp_path):
    data = pd.DataFrame({"text": EMPTY[:3], "label": ["fruit", "animal", "fruit"]})
    scores = run.evaluate(data).examples["score"]
    expected = [max(prediction.values()) for prediction in run.predict(EMPTY[:3])]
    assert scores.tolist() == pytest.approx(expected, abs=SAME)
    again = Subject(BERT, tmp_path).run("only-empty")
    again.train(data, data)
    assert len(again.predict(EMPTY)) == len(EMPTY)


def test_onnx(run):
    run.export("onnx", texts=TEXTS, int8=False)
    assert difference(run.predict(EMPTY, backend="onnx"), run.predict(EMPTY)) < SAME
    for text in EMPTY:
        assert len(run.predict(text, backend="onnx")) == 1
    assert by_batch(run, backend="onnx") < SAME


@pytest.mark.parametrize("options", [{}, {"long_text": "window"}], ids=["", "window"])
def test_the_head_alone(tmp_path, options):
    run = Subject(BERT, tmp_path).run("probe", **options)
    run.train(frame(), frame(), fine_tune=False)
    assert len(run.predict(EMPTY)) == len(EMPTY)
    assert by_batch(run) < SAME


def test_several_labels(tmp_path):
    model = Subject(BERT, tmp_path).model
    run = training_run(
        "multilabel",
        "several",
        run_dir_parent=tmp_path,
        base_model_name=model,
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    data = pd.DataFrame({"text": ["", "a cat", "apple"], "labels": [[], ["animal"], ["fruit"]]})
    run.train(data)
    assert len(run.predict(["", "Яблоко"])) == 2


def test_the_token_that_stands_in_is_special_and_no_padding(run, tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert stand_in(tokenizer) == tokenizer.cls_token_id
    # There is no other special token.
    assert stand_in(run.tokenizer) == run.tokenizer.eos_token_id == run.tokenizer.pad_token_id


def test_only_columns_of_tokens_are_filled():
    rows = {
        "input_ids": [[], [5]],
        "attention_mask": [[], [1]],
        "labels": [[], [3]],
        "tags": [[], []],
    }
    assert with_tokens(rows, 7) == {
        "input_ids": [[7], [5]], "attention_mask": [[1], [1]], "labels": [[-100], [3]], "tags": [[], []],
    }  # fmt: skip
    several = {"input_ids": [[]], "labels": [[0.0, 1.0]]}
    assert with_tokens(several, 7) == {"input_ids": [[7]], "labels": [[0.0, 1.0]]}
    assert with_tokens({"input_ids": [], "attention_mask": []}, 7)["attention_mask"] == [1]
    empty = {name: torch.zeros(1, 0) for name in ("input_ids", "offset_mapping")}
    filled = with_tokens(empty, 7)
    assert filled["input_ids"].tolist() == [[7]]
    assert filled["input_ids"].dtype == torch.int64
    assert filled["offset_mapping"].tolist() == [[[0, 0]]]
    assert with_tokens("no mapping", 7) == "no mapping"
