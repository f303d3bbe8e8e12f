"""What labels are called, as examples for the probe: taken where it helps, never where it cannot."""

import pandas as pd
import pytest

from clx.errors import ConfigError
from clx.ml import training_run
from clx.ml.label_texts import words_of

QUIET = {"disable_tqdm": True}
ROWS = {
    "sports": ["the striker scored twice in the final", "she won the marathon in record time"],
    "cooking": ["simmer the sauce for an hour", "fold the egg whites into the batter"],
    "travel": ["our flight to Lisbon was delayed", "the hotel is near the old harbour"],
}


def frame(names=None):
    """Return two rows a label, the labels by other names if there are any."""
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
    assert words_of(name) == words


def test_names_that_help_are_examples_for_the_probe():
    named = trained(frame())
    without = trained(frame(), label_texts=None, run_name="without")
    head = named.results["head"]
    assert head["label_texts"] == 3
    assert head["probe_rows"] == 6
    with_names, rows_alone = (
        head["validation"][key] for key in ("probe with label texts", "probe")
    )
    assert min(with_names.values()) < min(rows_alone.values())
    assert without.results["head"]["label_texts"] == 0
    assert "probe with label texts" not in without.results["head"]["validation"]
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
    assert "probe with label texts" not in head["validation"]


def test_names_that_mislead_are_not_taken():
    head = trained(frame(["cooking", "travel", "sports"])).results["head"]
    assert "probe with label texts" in head["validation"]
    assert head["label_texts"] == 0


def test_many_rows_need_no_names():
    data = pd.concat([frame()] * 17, ignore_index=True)
    data["text"] += data.index.astype(str)
    assert "probe with label texts" not in trained(data).results["head"]["validation"]


def test_a_description_teaches_a_label_that_has_no_rows():
    about = {"x1": ["politics", "the parliament and the elections"], "sports": "sport"}
    run = trained(frame(), label_names=["cooking", "sports", "travel", "x1"], label_texts=about)
    assert run.results["head"]["label_texts"] == 3
    assert run.predict_labels(["the senate voted for a new president"]) == ["x1"]


def test_several_labels_a_row():
    data = frame().rename(columns={"label": "labels"})
    data["labels"] = [[label] for label in data["labels"]]
    run = trained(data, "multi-label-classification", label_texts={"travel": "a journey"})
    assert run.results["head"]["label_texts"] == 1


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
        ({"trave": "a journey"}, "'trave', which is no label.*did you mean 'travel'"),
    ],
)
def test_wrong_texts_are_refused_when_the_run_is_made(texts, message):
    with pytest.raises(ConfigError, match=message):
        training_run("classification", "x", label_names=list(ROWS), label_texts=texts)


def test_texts_for_labels_that_the_data_does_not_have():
    run = training_run("classification", "x", label_texts={"politics": "elections"})
    with pytest.raises(ConfigError, match="label_texts has 'politics', which is no label"):
        run.train(frame(), fine_tune=False)
    assert not run.is_trained
