"""Label names and descriptions as extra examples: used where they help, and only there."""

import pandas as pd
import pytest

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.model.head.label_texts import name_as_text
from strangers import Numbers

QUIET = {"disable_tqdm": True}
ROWS = {
    "sports": ["the striker scored twice in the final", "she won the marathon in record time"],
    "cooking": ["simmer the sauce for an hour", "fold the egg whites into the batter"],
    "travel": ["our flight to Lisbon was delayed", "the hotel is near the old harbour"],
}


def frame(names=None):
    """Return two rows per label; ``names`` replaces the names of the labels."""
    names = dict(zip(ROWS, names, strict=True)) if names else {}
    return pd.DataFrame(
        [(text, names.get(label, label)) for label, texts in ROWS.items() for text in texts],
        columns=["text", "label"],
    )


def trained(data, name="classification", **options):
    options = {"run_name": "texts", "training_args": QUIET, **options}
    run = training_run(name, **options)
    run.train(data, fine_tune=False)
    return run


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("card_payment_fee", "card payment fee"),
        ("rec.sport.hockey", "rec sport hockey"),
        ("Sci/Tech", "Sci Tech"),
        ("cancelOrder", "cancel Order"),
        ("größe-falsch", "größe falsch"),
        ("USA", "USA"),
    ],
)
def test_names_are_read_as_words(name, words):
    assert name_as_text(name) == words


def test_names_that_help_are_examples_for_the_probe():
    named = trained(frame())
    without = trained(frame(), label_texts=None, run_name="without")
    head = named.results["head"]
    assert head["label_texts"] == 3
    assert head["probe_rows"] == 6
    with_names, rows_alone = (
        head["validation"][key] for key in ("with the names of labels", "rows alone")
    )
    assert min(with_names.values()) < min(rows_alone.values())
    assert without.results["head"]["label_texts"] == 0
    assert "with the names of labels" not in without.results["head"]["validation"]
    text = pd.DataFrame({"text": ["sports"]})
    frames = [run.predict_frame(text, all_scores=True) for run in (named, without)]
    scores = [frame["score_sports"].item() for frame in frames]
    assert scores[0] > scores[1]


@pytest.mark.parametrize(
    "names", [["1", "2", "3"], ["a", "b", "c"], ["class 1", "class 2", "class 3"]]
)
def test_names_that_are_no_words_are_no_examples(names):
    head = trained(frame(names)).results["head"]
    assert head["label_texts"] == 0
    assert "with the names of labels" not in head["validation"]


def test_names_that_mislead_are_not_taken():
    head = trained(frame(["cooking", "travel", "sports"])).results["head"]
    assert "with the names of labels" in head["validation"]
    assert head["label_texts"] == 0


def test_many_rows_need_no_names():
    data = pd.concat([frame()] * 17, ignore_index=True)
    data["text"] += data.index.astype(str)
    assert "with the names of labels" not in trained(data).results["head"]["validation"]


def test_a_description_teaches_a_label_that_has_no_rows():
    about = {"x1": ["politics", "the parliament and the elections"], "sports": "sport"}
    run = trained(frame(), label_names=["cooking", "sports", "travel", "x1"], label_texts=about)
    assert run.results["head"]["label_texts"] == 3
    assert run.predict_labels(["the senate voted for a new president"]) == ["x1"]


def test_a_fine_tuning_does_not_unlearn_a_label_that_has_no_rows():
    about = {"x1": ["politics", "the parliament and the elections"]}
    run = training_run(
        "classification",
        "described",
        label_names=["cooking", "sports", "travel", "x1"],
        label_texts=about,
        training_args={**QUIET, "num_train_epochs": 15, "per_device_train_batch_size": 8},
    )
    assert run.train(frame()).steps == 15
    assert run.predict_labels(["the senate voted for a new president"]) == ["x1"]


@pytest.mark.parametrize(("texts", "steps"), [("names", 2 * 3), (None, 2 * 2)])
def test_names_that_help_are_rows_of_the_fine_tuning(texts, steps):
    arguments = {**QUIET, "num_train_epochs": 2, "per_device_train_batch_size": 3}
    run = training_run("classification", "names", label_texts=texts, training_args=arguments)
    assert run.train(frame()).steps == steps


def test_texts_are_rows_of_a_fine_tuning_with_several_labels_a_row():
    data = frame().rename(columns={"label": "labels"})
    data["labels"] = [[label] for label in data["labels"]]
    arguments = {**QUIET, "num_train_epochs": 2, "per_device_train_batch_size": 3}
    run = training_run(
        "multi-label-classification",
        "several",
        label_texts={"travel": "a long journey"},
        training_args=arguments,
    )
    assert run.train(data).steps == 2 * 3


def test_several_labels_a_row():
    data = frame().rename(columns={"label": "labels"})
    data["labels"] = [[label] for label in data["labels"]]
    several = "multi-label-classification"
    told = trained(data, several, label_texts={"travel": "a long journey"})
    alone = trained(data, several, label_texts=None, run_name="alone")
    assert told.results["head"]["label_texts"] == 1
    told, alone = (run.predict(["a long journey"])[0] for run in (told, alone))
    assert told["travel"] > alone["travel"]
    assert told["cooking"] < alone["cooking"]


def test_names_are_not_taken_where_nothing_can_contradict_them():
    """When the only row of a label is held out, any name seems better than none."""
    data = frame(["cooking", "travel", "sports"]).drop_duplicates("label", ignore_index=True)
    data = pd.concat([data, pd.DataFrame({"text": ["a song"], "label": ["music"]})])
    assert trained(data).results["head"]["label_texts"] == 0


def test_descriptions_are_not_cut_into_windows():
    about = {"travel": "a journey to a far place, by train, ship or plane, for a week or more"}
    run = trained(
        frame(), label_texts=about, long_text="window", tokenize_args={"max_length": 8, "stride": 2}
    )
    assert run.results["head"]["label_texts"] == 1


def test_labels_that_are_numbers_have_descriptions_by_number(tmp_path):
    data = frame().assign(label=[0, 0, 1, 1, 2, 2])
    run = trained(data, label_texts={2: "travel"}, class_weights={2: 2.0})
    assert run.results["head"]["label_texts"] == 1
    assert training_run(load=run.run_dir).label_texts == {"2": "travel"}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"head_init": "random"}, "head_init is 'random'"),
        ({"label_names": ["cooking", "sports"]}, "'travel', which is not a label"),
    ],
)
def test_descriptions_that_cannot_be_used_are_not_ignored(options, why):
    with pytest.raises(ConfigError, match=why):
        training_run("classification", "x", label_texts={"travel": "a journey"}, **options).train(
            frame()
        )


def test_numbers_have_no_names(tiny_model, fruit):
    options = {"base_model_name": tiny_model, "training_args": QUIET}
    run = Numbers("numbers", **options)
    run.train(fruit, fine_tune=False)
    assert run.results["head"]["label_texts"] == 0
    run = Numbers("described", label_texts={"LABEL_0": "a number"}, **options)
    with pytest.raises(ConfigError, match="the labels are numbers"):
        run.train(fruit, fine_tune=False)


def test_the_option_is_kept(tmp_path):
    about = {"travel": "a journey"}
    run = trained(frame(), label_texts=about)
    assert training_run(load=run.run_dir).label_texts == about
    run = training_run("classification", "none", label_texts=None)
    assert run.config["label_texts"] is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("name", "label_texts must be 'names', None, or a dict"),
        ({"travel": ""}, "must be a text or a list of texts, but is ''"),
        ({"travel": ["a journey", 3]}, "must be a text or a list of texts"),
        ({"trave": "a journey"}, "'trave', which is not a label.*did you mean 'travel'"),
    ],
)
def test_wrong_texts_are_refused_when_the_run_is_made(texts, message):
    with pytest.raises(ConfigError, match=message):
        training_run("classification", "x", label_names=list(ROWS), label_texts=texts)


def test_texts_for_labels_that_the_data_does_not_have():
    run = training_run("classification", "x", label_texts={"politics": "elections"})
    with pytest.raises(ConfigError, match="label_texts has 'politics', which is not a label"):
        run.train(frame(), fine_tune=False)
    assert not run.is_trained
