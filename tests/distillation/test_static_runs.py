"""A run directory with a static student: everything that predicts works on it, nothing that trains."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from clx.batch import Predictor, predict_parts
from clx.cli.serving import SavedSource
from clx.errors import ConfigError, TruncationWarning
from clx.ml import training_run
from clx.ml.run_directory.layout import RunDir
from clx_runtime import load
from clx_runtime.server.served import Needs
from conftest import fruit_frame, mixed_texts
from students import make_student

TEXTS = ["the apple is red", "a cat and a dog", "", "the goat", "the goat", "ünknown 字"]


@pytest.fixture
def student(trained):
    return training_run(load=make_student(trained))


def test_what_predicts(student, tmp_path):
    labels = student.predict_labels(TEXTS)
    assert [labels[n] for n in (0, 1, 3, 4)] == ["fruit", "animal", "animal", "animal"]
    scores = student.predict(TEXTS)
    assert [max(each, key=each.get) for each in scores] == labels
    assert list(student.predict_iter(iter(TEXTS), backend="static")) == scores
    frame = student.predict_frame(TEXTS, all_scores=True)
    assert list(frame["label"]) == labels
    assert frame[["score_animal", "score_fruit"]].to_dict("records") == [
        {f"score_{name}": score for name, score in each.items()} for each in scores
    ]
    rows = pd.DataFrame({"text": TEXTS, "n": range(len(TEXTS))})
    rows.to_parquet(tmp_path / "in.parquet")
    student.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", all_scores=True)
    found = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(found.drop(columns=["text", "n"]), frame, check_dtype=False)
    table = Predictor(student, all_scores=True)(rows)
    assert list(table["score_fruit"]) == list(frame["score_fruit"])


def test_what_measures(student, trained):
    data = fruit_frame(24)
    evaluation = student.evaluate(data)
    assert evaluation.metrics["accuracy"] > 0.9
    scores = student.predict_frame(data)
    expected = -np.log(
        [
            1 - s if p != g else s
            for s, p, g in zip(scores["score"], scores["label"], data["label"], strict=True)
        ]
    ).mean()
    assert evaluation.metrics["loss"] == pytest.approx(expected, rel=1e-3)
    comparison = training_run(load=trained).compare(student, data)
    assert comparison.metrics.loc["accuracy", "other"] == evaluation.metrics["accuracy"]
    assert student.report(student.run_dir.parent / "r.html", data).stat().st_size > 1000
    assert student.tokenizer("the apple").input_ids == student.tokenizer.convert_tokens_to_ids(
        ["the", "apple"]
    )


def test_soft_labels_and_their_loss_are_measured(student):
    data = fruit_frame(24)
    other = {"fruit": "animal", "animal": "fruit"}
    soft = data.assign(label=[{name: 0.8, other[name]: 0.2} for name in data["label"]])
    hard, found = student.evaluate(data).metrics, student.evaluate(soft).metrics
    assert found["accuracy"] == hard["accuracy"]
    assert "soft_log_loss" not in hard
    assert found["loss"] == pytest.approx(found["soft_log_loss"], rel=1e-4)
    assert found["soft_log_loss"] > hard["log_loss"] + 0.3


@pytest.mark.parametrize("what", ["model", "pipe"])
def test_it_has_no_model_of_transformers(student, what):
    with pytest.raises(
        ConfigError,
        match=rf"run\.{what} needs .*'student' is a static student of the run 'trained'",
    ):
        getattr(student, what)


@pytest.mark.parametrize(
    "verb",
    [
        lambda run: run.train(fruit_frame(), overwrite=True),
        lambda run: run.continue_training(fruit_frame()),
        lambda run: run.export(),
        lambda run: run.tune(fruit_frame(), overwrite=True),
    ],
)
def test_what_it_refuses(student, verb):
    with pytest.raises(ConfigError, match="static student of the run 'trained'"):
        verb(student)
    assert training_run(load=student.run_dir, verify=True).predict_labels("the apple") == ["fruit"]


def test_it_is_no_base_model(student):
    run = training_run("classification", "next", base_model_name=student.run_dir)
    with pytest.raises(ConfigError, match="base_model_name needs a transformers model"):
        run.train(fruit_frame())


def test_backends(student, trained):
    with pytest.raises(ConfigError, match="'static', the default, and not with 'onnx'"):
        student.predict(TEXTS, backend="onnx")
    with pytest.raises(ConfigError, match="is not a static student"):
        training_run(load=trained).predict(TEXTS, backend="static")
    with pytest.raises(ConfigError, match="backend must be one of"):
        student.predict(TEXTS, backend="stat")
    with pytest.raises(ConfigError, match="device cpu, not 'cuda'"):
        training_run(load=student.run_dir, device="cuda").predict(TEXTS)


def test_changes_without_training(student):
    before = student.predict(TEXTS)
    student.set_decisions(min_score=0.999)
    assert None in student.predict_labels(TEXTS)
    assert load(student.run_dir).predict_labels(TEXTS) == student.predict_labels(TEXTS)
    student.rename_labels({"fruit": "plant"})
    again = training_run(load=student.run_dir, verify=True)
    assert [list(each.values()) for each in again.predict(TEXTS)] == [
        list(each.values()) for each in before
    ]
    assert load(student.run_dir).labels == ["animal", "plant"]
    assert load(student.run_dir).predict_labels(TEXTS) == again.predict_labels(TEXTS)
    data = fruit_frame(24).replace({"label": {"fruit": "plant"}})
    change = again.set_decisions(on=data, target_accuracy=0.9)
    assert change.evaluation.metrics["accuracy"] > 0.5
    assert RunDir(again.run_dir).read_config()["student_of"]["run_name"] == "trained"


def test_copies(student):
    expected = student.predict(TEXTS)
    assert pickle.loads(pickle.dumps(student)).predict(TEXTS) == expected
    assert copy.deepcopy(student).predict(TEXTS) == expected


def test_long_texts_are_cut_at_its_limit(trained):
    run = training_run(load=make_student(trained, limit=4))
    with pytest.warns(
        TruncationWarning, match="1 of 2 texts in the input are longer than 4 tokens"
    ):
        found = run.predict(["the apple is red", "the apple is red and a cat dog cow"])
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_it_equals_torch(student):
    torch = pytest.importorskip("torch")
    texts = [text for text in mixed_texts(30) if len(text.split()) < 60]
    weights = {name: torch.tensor(array) for name, array in _weights(student).items()}
    embeddings = weights["embeddings"].float() * weights["embedding_scales"][:, None]
    embeddings = embeddings * weights["token_weights"][:, None]
    for text, scores in zip(texts, student.predict(texts), strict=True):
        ids = student.tokenizer(text, truncation=True).input_ids
        mean = embeddings[ids].mean(0) if ids else torch.zeros(embeddings.shape[1])
        x = torch.nn.functional.layer_norm(
            mean, mean.shape, weights["norm.weight"], weights["norm.bias"]
        )
        x = torch.relu(x @ weights["hidden.weight"].T + weights["hidden.bias"])
        x = x @ weights["output.weight"].T + weights["output.bias"]
        assert list(scores.values()) == pytest.approx(x.softmax(-1).tolist(), abs=1e-6)


def _weights(run):
    from clx_runtime.static_files import read_student

    return read_student(run.run_dir / "model").weights


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_merged_labels(trained):
    run = training_run(load=make_student(trained, labels=["animal", "fruit", "pet"]))
    data = fruit_frame(40)
    data.loc[data["text"].str.contains("cat|dog"), "label"] = "pet"
    result = run.merge_labels({"living": ["animal", "pet"]}, data, data)
    assert result.metrics["accuracy"] > 0.9
    again = training_run(load=run.run_dir, verify=True)
    assert again.label_names == load(run.run_dir).labels == ["living", "fruit"]
    assert again.predict_labels(TEXTS[:2]) == ["fruit", "living"]
    assert load(run.run_dir).predict_labels(TEXTS) == again.predict_labels(TEXTS)


def test_in_parts_with_an_estimate_and_a_server(student, tmp_path):
    rows = pd.DataFrame({"text": TEXTS * 5})
    rows.to_parquet(tmp_path / "in.parquet")
    estimate = student.estimate(tmp_path / "in.parquet")
    assert [(each.backend, each.problem) for each in estimate.backends] == [("static", None)]
    predict_parts(student, tmp_path / "in.parquet", tmp_path / "parts", all_scores=True)
    found = pd.concat(map(pd.read_parquet, sorted((tmp_path / "parts").rglob("*.parquet"))))
    assert found["label"].tolist() == student.predict_labels(TEXTS * 5)
    served = SavedSource(str(student.run_dir), None, None, None).open()
    assert (served.facts.backend, served.facts.labels) == ("static", ("animal", "fruit"))
    computed = served.compute(TEXTS, Needs(logits=True, prediction=True))
    assert computed.predictions == student.predict(TEXTS)
    assert computed.tokens[:3] == [4, 5, 0]
