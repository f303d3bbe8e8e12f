"""Prediction: order, inputs, truncation, frames, memory."""

import itertools

import numpy as np
import pandas as pd
import pytest

from clx.errors import ClxWarning, ConfigError, DataFormatError, RunDirError
from clx.ml import training_run
from conftest import fruit_frame


@pytest.fixture
def run(trained):
    return training_run(load=trained)


TEXTS = ["the apple is red", "cat", "a cherry and the big melon is a grape", "dog", "cat"]


def test_scores_are_in_label_order_and_in_the_order_of_the_texts(run):
    predictions = run.predict(TEXTS, batch_size=2)
    assert [list(prediction) for prediction in predictions] == [["animal", "fruit"]] * 5
    best = [max(prediction, key=prediction.get) for prediction in predictions]
    assert best == ["fruit", "animal", "fruit", "animal", "animal"]
    assert all(sum(prediction.values()) == pytest.approx(1) for prediction in predictions)


def test_any_batch_size_and_order_give_the_same_scores(run):
    one_by_one = [run.predict([text], batch_size=1)[0] for text in TEXTS]
    for size, order in itertools.product((1, 2, 3, 100), ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1])):
        together = run.predict([TEXTS[i] for i in order], batch_size=size)
        for position, i in enumerate(order):
            assert together[position] == pytest.approx(one_by_one[i], abs=1e-5)


def test_scores_equal_those_of_the_pipeline(run):
    for ours, entries in zip(run.predict(TEXTS), run.pipe(TEXTS, top_k=None), strict=True):
        assert ours == pytest.approx({e["label"]: e["score"] for e in entries}, abs=1e-5)


def test_equal_texts_have_predictions_of_their_own(run):
    first, second = run.predict(["cat", "cat"])
    first["animal"] = 0
    assert second["animal"] > 0


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        tuple(TEXTS),
        pd.Series(TEXTS, index=[9, 8, 7, 6, 5]),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        (text for text in TEXTS),
    ],
    ids=["list", "tuple", "series", "array", "object array", "generator"],
)
def test_all_kinds_of_text_rows(run, texts):
    assert len(run.predict(texts)) == 5


def test_one_string_is_a_list_of_one_and_nothing_is_nothing(run):
    assert len(run.predict("cat")) == 1
    assert run.predict([]) == []
    assert len(run.predict("")) == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"text": "a"}, "dict"),
        ({"a"}, "set"),
        (b"a", "bytes"),
        (pd.DataFrame({"text": ["a"]}), "DataFrame.*predict_frame"),
        (None, "None"),
        (5, "5"),
        (np.array([["a"]]), "2 dimensions"),
        (["a", None], "position 1: None"),
        (["a", float("nan")], "position 1: nan"),
        ([["a", "b"]], r"position 0: \['a', 'b'\]"),
        (["ok", "bad \ud800"], "position 1.*surrogate"),
        (pd.Series(["a", pd.NA]), "position 1"),
    ],
)
def test_what_is_no_text_is_named(run, texts, message):
    with pytest.raises(DataFormatError, match=message):
        run.predict(texts)


def test_generator_errors_name_the_position_in_all_of_the_input(run):
    texts = itertools.chain(["cat"] * 70, [None])
    with pytest.raises(DataFormatError, match="position 70"):
        list(run.predict_iter(texts, batch_size=1))


@pytest.mark.parametrize("size", [0, -1, 1.5, "8", True])
def test_wrong_batch_sizes_are_refused(run, size):
    with pytest.raises(ConfigError, match="batch_size"):
        run.predict("a", batch_size=size)


def test_predict_iter_is_lazy(run):
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield TEXTS[read % 5]

    predictions = run.predict_iter(endless(), batch_size=2)
    assert len(list(itertools.islice(predictions, 100))) == 100
    assert read <= 100 + 2 * 2 * 32


def test_long_texts_are_cut_as_in_training_and_counted(run):
    with pytest.warns(ClxWarning, match=r"2 of 3 texts .* longer than 64 tokens"):
        long, longer, _ = run.predict(["cat " * 100, "cat " * 500, "cat"])
    assert long == pytest.approx(longer, abs=1e-5)
    assert len(run.pipe.tokenizer("cat " * 100)["input_ids"]) == 64
    run.pipe("cat " * 500)


def test_text_of_exactly_the_limit_is_not_counted(run, recwarn):
    run.predict(["cat " * 62])
    assert not [w for w in recwarn if issubclass(w.category, ClxWarning)]


def test_tokenize_args_hold_in_training_and_prediction(tiny_model, fruit):
    run = training_run(
        "classification",
        "short",
        base_model_name=tiny_model,
        tokenize_args={"max_length": 4},
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    with pytest.warns(ClxWarning, match="longer than 4 tokens in 30 of 40 rows"):
        result = run.train(fruit)
    assert result.truncated == {"train": 30}
    reloaded = training_run(load=run.run_dir)
    with pytest.warns(ClxWarning, match="longer than 4 tokens"):
        one, other = reloaded.predict(["the apple is red", "the apple eats a dog"])
    assert one == pytest.approx(other)


def test_pipe_is_a_hugging_face_pipeline(run):
    from transformers import TextClassificationPipeline

    assert isinstance(run.pipe, TextClassificationPipeline)
    assert run.pipe("cat")[0].keys() == {"label", "score"}
    assert run.pipe is run.pipe
    assert run.pipe.model is run.model
    assert not run.model.training


def test_pipeline_arguments_of_a_call(run):
    assert run.predict("cat", top_k=1) == [{"animal": pytest.approx(1, abs=0.5)}]


def test_predict_frame_keeps_the_index(run):
    frame = pd.DataFrame({"text": TEXTS, "other": range(5)}, index=list("vwxyz"))
    predicted = run.predict_frame(frame)
    assert list(predicted.index) == list("vwxyz")
    assert list(predicted.columns) == ["label", "score", "margin", "abstained", "truncated"]
    assert list(predicted["label"]) == ["fruit", "animal", "fruit", "animal", "animal"]
    scores = run.predict_frame(frame, all_scores=True)
    assert (scores["score"] == scores[["score_animal", "score_fruit"]].max(axis=1)).all()
    gap = (scores["score_animal"] - scores["score_fruit"]).abs()
    assert scores["margin"].to_numpy() == pytest.approx(gap.to_numpy())


def test_predict_frame_wants_its_column(run):
    with pytest.raises(DataFormatError, match=r"no column 'text'.*'txt'|did you mean"):
        run.predict_frame(pd.DataFrame({"Text": ["a"]}))
    assert len(run.predict_frame(pd.DataFrame({"body": ["a"]}), text_column="body")) == 1


def test_evaluation_has_a_row_a_label_and_is_in_order(run):
    data = fruit_frame(30).assign(label=lambda d: ["animal"] * 5 + list(d["label"])[5:])
    result = run.evaluate(data)
    predicted = list(run.predict_frame(data)["label"])
    accuracy = sum(a == b for a, b in zip(predicted, data["label"], strict=True)) / 30
    assert result.metrics["accuracy"] == pytest.approx(accuracy)
    assert list(result.per_label.index) == ["animal", "fruit"]
    assert list(result.per_label.columns) == ["precision", "recall", "f1", "support"]
    assert result.per_label["support"].tolist() == [17, 13]
    assert result.confusion.to_numpy().sum() == 30
    assert result.rows == 30


def test_evaluation_is_saved_where_the_caller_says_only(run, tmp_path):
    before = sorted(run.run_dir.rglob("*"))
    result = run.evaluate(fruit_frame(6))
    assert sorted(run.run_dir.rglob("*")) == before
    folder = result.save(tmp_path / "evaluation")
    assert {path.name for path in folder.iterdir()} == {
        "evaluation.json",
        "per_label.csv",
        "confusion.csv",
        "calibration.csv",
        "decision_curve.csv",
        "report.html",
    }


def test_replaced_run_is_noticed_before_its_weights_are_read(trained, fruit):
    opened = training_run(load=trained)
    training_run(load=trained).train(fruit, overwrite=True)
    with pytest.raises(RunDirError, match="replaced since it was opened"):
        opened.predict("a")


def test_device_that_is_not_there_is_an_error_when_asked_for(trained):
    with pytest.raises(ConfigError, match="cuda:7"):
        training_run(load=trained, device="cuda:7").predict("cat")


def test_a_frame_of_no_texts_has_the_columns(trained):
    run = training_run(load=trained)
    found = run.predict_frame([], all_scores=True)
    assert list(found) == list(run.predict_frame(["cat"], all_scores=True))
    assert len(found) == 0
