"""The task multi-label-classification, through the public contract."""

import json

import numpy as np
import pandas as pd
import pytest

from clx.errors import ClxWarning, ConfigError, DataFormatError, DataWarning
from clx.ml import task_registry, training_run
from clx.ml.label_lists import column_lists, label_list, label_lists, multi_hot

WORDS = {"fruit": "apple banana cherry grape".split(), "animal": "cat dog horse cow".split()}
FAST = {"max_steps": 1, "disable_tqdm": True}


def frame(rows=48):
    """Texts with fruit, an animal, both or neither, and sometimes the colour red."""
    texts, labels = [], []
    for number in range(rows):
        words, names = ["the"], []
        for bit, (name, choices) in enumerate(WORDS.items()):
            if number >> bit & 1:
                words.append(choices[number // 4 % 4])
                names.append(name)
        if number % 5 == 0:
            words.append("red")
            names.append("red")
        texts.append(" ".join([*words, "is", "small"]))
        labels.append(names)
    return pd.DataFrame({"text": texts, "labels": labels})


def make(tiny_model, name="run", **options):
    options = {"training_args": FAST, **options}
    return training_run("multilabel", name, base_model_name=tiny_model, **options)


@pytest.fixture(scope="module")
def trained_dir(tiny_model, tmp_path_factory):
    run = training_run(
        "multi-label-classification",
        "tags",
        run_dir_parent=tmp_path_factory.mktemp("multilabel"),
        base_model_name=tiny_model,
        training_args={"num_train_epochs": 60, "learning_rate": 5e-3, "disable_tqdm": True},
    )
    run.train(frame(), frame(40))
    return run.run_dir


@pytest.fixture
def run(trained_dir):
    return training_run(load=trained_dir)


def test_it_learns_and_predicts_sigmoids_in_label_order(run):
    scores = run.predict(["the apple is small", "the red cat is small", "the is small"])
    assert [list(each) for each in scores] == [["animal", "fruit", "red"]] * 3
    assert all(0 <= score <= 1 for each in scores for score in each.values())
    assert run.results["metrics"]["f1_micro"] > 0.85
    assert run.predict_labels(["the apple is small", "the is small"]) == [["fruit"], []]


def test_scores_are_those_of_plain_transformers(run):
    from transformers import pipeline

    plain = pipeline("text-classification", model=str(run.run_dir / "model"), top_k=None)
    theirs = {entry["label"]: entry["score"] for entry in plain(["the cat is small"])[0]}
    assert run.predict("the cat is small")[0] == pytest.approx(theirs)


def test_alias_and_canonical_name(run):
    assert task_registry["multilabel"] is task_registry["multi-label-classification"]
    assert run.config["task"] == "multi-label-classification"


def test_thresholds_are_chosen_on_eval_data_kept_and_applied(run):
    thresholds = run.config["thresholds"]
    assert set(thresholds) == {"animal", "fruit", "red"}
    texts = frame()["text"].tolist()
    expected = [
        [name for name, score in each.items() if score >= thresholds[name]]
        for each in run.predict(texts)
    ]
    assert run.predict_labels(texts) == expected
    assert run.predict_frame(frame())["labels"].tolist() == expected
    assert [list(x) for x in run.evaluate(frame()).examples["predicted"]] == expected


def test_thresholds_are_learnt_anew_by_another_training(trained_dir, tmp_path, tiny_model):
    import shutil

    copy = shutil.copytree(trained_dir, tmp_path / "copy")
    run = training_run(load=copy)
    before = run.config["thresholds"]
    other = frame().assign(labels=lambda d: [["x"] if "fruit" in v else ["y"] for v in d["labels"]])
    run.train(other, other, overwrite=True)
    assert set(before) == {"animal", "fruit", "red"}
    assert set(run.config["thresholds"]) == {"x", "y"}


def test_thresholds_of_the_user_are_kept(tiny_model):
    run = make(tiny_model, thresholds={"red": 0.9})
    run.train(frame(), frame())
    assert run.config["thresholds"] == {"red": 0.9}
    assert run.predict_labels("the cat", min_score=0.0) == [["animal", "fruit", "red"]]
    assert run.predict_labels("the cat", min_score=1.0) == [[]]


def test_without_eval_data_thresholds_are_a_half(tiny_model):
    run = make(tiny_model)
    run.train(frame())
    assert run.config["thresholds"] is None
    expected = [name for name, score in run.predict("the cat")[0].items() if score >= 0.5]
    assert run.predict_labels("the cat") == [expected]


def test_a_target_can_be_asked_for(tiny_model):
    run = make(tiny_model, threshold_objective="recall", threshold_target=1.0)
    run.train(frame(), frame())
    assert run.evaluate(frame()).per_label["recall"].min() == 1.0


def test_too_few_positives_share_a_threshold_and_say_so(tiny_model):
    data = frame()
    rare = data.assign(labels=[[*v, "rare"] if i < 2 else v for i, v in enumerate(data["labels"])])
    run = make(tiny_model)
    with pytest.warns(ClxWarning, match="1 of 4 labels take the shared threshold.*'rare'"):
        run.train(rare, rare)


def test_frame_has_labels_scores_and_margin_on_the_same_index(run):
    data = frame(5).set_index(pd.Index(list("abcde")))
    predicted = run.predict_frame(data, all_scores=True)
    assert list(predicted.index) == list("abcde")
    assert list(predicted.columns) == [
        "labels", "scores", "margin", "score_animal", "score_fruit", "score_red", "truncated",
    ]  # fmt: skip
    thresholds = run.config["thresholds"]
    for _, row in predicted.iterrows():
        assert row["scores"] == [row[f"score_{name}"] for name in row["labels"]]
        gaps = [abs(row[f"score_{name}"] - thresholds[name]) for name in thresholds]
        assert row["margin"] == pytest.approx(min(gaps))


def test_evaluation_has_metrics_intervals_and_tables(run):
    result = run.evaluate(frame())
    keys = {"f1_micro", "f1_macro", "f1_samples", "subset_accuracy", "average_precision", "ece"}
    assert keys <= set(result.metrics)
    assert {"f1_micro_low", "f1_micro_high"} <= set(result.metrics)
    assert result.metrics["f1_micro_low"] <= result.metrics["f1_micro"]
    assert list(result.per_label.index) == ["animal", "fruit", "red"]
    assert "threshold" in result.per_label.columns
    share = result.examples["correct"].mean()
    assert result.metrics["subset_accuracy"] == pytest.approx(share)


@pytest.mark.parametrize(
    "convert",
    [list, tuple, set, frozenset, np.array, json.dumps, "|".join, str],
    ids=["list", "tuple", "set", "frozenset", "array", "json", "separator", "printed"],
)
def test_all_kinds_of_cells(tiny_model, convert):
    data = frame(8)
    run = make(tiny_model)
    run.train(data.assign(labels=[convert(names) for names in data["labels"]]))
    assert run.config["label_names"] == ["animal", "fruit", "red"]


def test_csv_round_trips(tiny_model, tmp_path):
    data = frame(12)
    data.assign(labels=data["labels"].str.join("|")).to_csv(tmp_path / "bars.csv", index=False)
    data.to_csv(tmp_path / "printed.csv", index=False)
    data.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    data.to_parquet(tmp_path / "rows.parquet")
    for name in ("bars.csv", "printed.csv", "rows.jsonl", "rows.parquet"):
        run = make(tiny_model, name.replace(".", "-"))
        run.train(tmp_path / name)
        assert run.config["label_names"] == ["animal", "fruit", "red"]
        assert run.results["rows"] == {"train": 12}


def test_another_separator_and_a_column_called_label(tiny_model):
    data = pd.DataFrame({"text": ["a", "b", "c"], "label": ["x; y", "y;z", ""]})
    run = make(tiny_model, label_separator=";")
    run.train(data)
    assert run.config["label_names"] == ["x", "y", "z"]


def test_numbers_come_back_as_numbers(tiny_model):
    data = pd.DataFrame({"text": ["a", "b", "c"] * 4, "labels": [[10, 2], [2], []] * 4})
    run = make(tiny_model, thresholds=0.0)
    run.train(data)
    assert run.config["label_names"] == ["2", "10"]
    assert training_run(load=run.run_dir).predict_frame(data)["labels"][0] == [2, 10]


def test_a_name_twice_counts_once_with_one_warning(tiny_model):
    data = frame(8)
    data.at[3, "labels"] = ["fruit", "fruit", "animal"]
    with pytest.warns(ClxWarning) as caught:
        make(tiny_model).train(data)
    repeated = [str(w.message) for w in caught if "repeat a label" in str(w.message)]
    assert len(repeated) == 1
    assert "1 rows repeat a label, which counts once: 3" in repeated[0]
    assert label_lists([["a", "a", "b"]]) == [["a", "b"]]


def test_labels_that_never_or_always_occur_are_reported(tiny_model):
    data = frame(8).assign(labels=lambda d: [[*v, "text"] for v in d["labels"]])
    run = make(tiny_model, label_names=["animal", "fruit", "red", "text", "never"])
    with pytest.warns(ClxWarning) as caught:
        result = run.train(data, data)
    (said,) = (str(warning.message) for warning in caught if warning.category is DataWarning)
    assert "labels have no rows: 'never'" in said
    assert "labels occur in all 8 rows: 'text'" in said
    assert result.data_check.label_counts["train_data"]["text"] == 8
    assert np.isfinite(list(run.evaluate(data).metrics.values())).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([["a"], None, ["b"]], "not a list of labels"),
        ([["a"], float("nan"), ["b"]], "not a list of labels"),
        ([["a"], 5, ["b"]], "not a list of labels .*5"),
        ([["a"], [None], ["b"]], "must be a str, int or bool"),
        ([["a"], [1.5], ["b"]], "must be a str, int or bool"),
        ([["a"], [1], ["b"]], "mixes labels of the types int, str"),
        ([["a"], [], ["a"]], "single label 'a'"),
        ([[], [], []], "no label"),
        ([["a"], ["a "], ["b"]], "differ only in blanks"),
        (["[broken", "['a'", "a|b"], None),
    ],
)
def test_bad_cells_are_listed(tiny_model, labels, message):
    data = pd.DataFrame({"text": ["x", "y", "z"], "labels": pd.Series(labels, dtype=object)})
    run = make(tiny_model)
    if message is None:
        assert column_lists(labels) == [["[broken"], ["['a'"], ["a", "b"]]
        return
    with pytest.raises(DataFormatError, match=message):
        run.train(data)


def test_unknown_labels_are_named_with_their_rows(tiny_model):
    run = make(tiny_model, label_names=["animal", "fruit", "red"])
    bad = frame(4).assign(labels=[["fruit"], ["friut"], [], ["animal"]])
    with pytest.raises(DataFormatError, match=r"'friut'.*did you mean 'fruit'.* 1 of 4 rows: 1"):
        run.train(bad)
    with pytest.raises(DataFormatError, match="no column 'labels'"):
        run.train(pd.DataFrame({"text": ["a"]}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thresholds": 2}, "from 0 to 1"),
        ({"thresholds": {"a": "x"}}, "from 0 to 1"),
        ({"thresholds": {"frut": 0.5}, "label_names": ["fruit", "animal"]}, "did you mean 'fruit'"),
        ({"threshold_objective": "accuracy"}, "f1, precision, recall"),
        ({"threshold_objective": "recall"}, "needs a threshold_target"),
        ({"threshold_target": 0.5}, "takes no threshold_target"),
        ({"label_separator": ""}, "label_separator"),
        ({"label_names": ["a"], "label_separator": 3}, r"(?s)at least two.*label_separator"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ConfigError, match=message):
        training_run("multilabel", "x", **options)


def test_cells_one_by_one():
    assert label_list("a | b|") == ["a", "b"]
    assert label_list("") == []
    assert label_list('["a|b", "c"]') == ["a|b", "c"]
    assert label_list({"b", "a"}) == ["a", "b"]
    assert label_list({"a": 1, "b": 0.5, "c": 0.4}) == ["a", "b"], "soft labels"
    assert column_lists(["a", None, float("nan")]) == [["a"], [], []]
    assert column_lists([["a"], None]) == [["a"], None]
    assert multi_hot([["b"], [], ["a", "b"]], ["a", "b"]).tolist() == [[0, 1], [0, 0], [1, 1]]
