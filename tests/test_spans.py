"""Spans of characters: labels of tokens, windows, and F1 of whole spans, checked by hand."""

import numpy as np
import pandas as pd
import pytest
from seqeval import metrics as seqeval
from transformers import AutoTokenizer

from clx.errors import ConfigError
from clx.ml.spans import (
    IGNORED,
    bio_labels,
    span_label_names,
    span_metrics,
    span_problems,
    span_windows,
    tag_metrics,
    tagged_spans,
)
from clx.testing import make_tiny_model

LABELS = bio_labels(["person", "place"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny"), ["ada lives in paris now"])
    return AutoTokenizer.from_pretrained(folder)


def span(start, end, label):
    return {"start": start, "end": end, "label": label}


def test_labels_of_tokens():
    assert LABELS == ["O", "B-person", "I-person", "B-place", "I-place"]
    assert span_label_names([[span(0, 1, "b")], [], [span(0, 1, "a"), span(2, 3, "b")]]) == [
        "a",
        "b",
    ]


def test_each_word_is_labelled_at_its_first_token(tokenizer):
    text = "Ada Maria lives in Xanten"
    spans = [span(0, 9, "person"), span(19, 25, "place")]
    result = span_windows(tokenizer, [text], [spans], LABELS, 4, {})
    (ids,), (labels,) = result["input_ids"], result["labels"]
    assert len(ids) == len(labels) > 7, "some words have several tokens"
    words = result["offset_mapping"][0]
    said = {text[a:]: LABELS[i] for (a, _), i in zip(words, labels, strict=True) if i != IGNORED}
    assert [said[text[text.index(word) :]] for word in text.split()] == [
        "B-person",
        "I-person",
        "O",
        "O",
        "B-place",
    ]
    assert sum(label != IGNORED for label in labels) == 5
    assert labels[0] == labels[-1] == IGNORED, "special tokens"


def test_long_texts_become_windows_that_label_each_word_once(tokenizer):
    words = ["in"] * 30 + ["ada"] * 30 + ["now"] * 30
    text = " ".join(words)
    people = span(text.index("ada"), text.rindex("ada") + 3, "person")
    result = span_windows(
        tokenizer, ["ada", text], [[span(0, 3, "person")], [people]], LABELS, 8, {}
    )
    assert result["overflow_to_sample_mapping"][:2] == [0, 1]
    assert len(result["input_ids"]) >= 4
    assert max(map(len, result["input_ids"])) <= 64
    labelled = [i for row in result["labels"][1:] for i in row if i != IGNORED]
    assert len(labelled) == 90
    assert labelled.count(LABELS.index("B-person")) == 1
    assert labelled.count(LABELS.index("I-person")) == 29


def test_a_limit_that_leaves_no_room_for_windows(tokenizer):
    with pytest.raises(ConfigError, match=r"max_length must be at least 32.* but is 20"):
        span_windows(tokenizer, ["a"], [[]], LABELS, 16, {"max_length": 20})


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", set()),
        ("B-a I-a O", {("a", 0, 2)}),
        ("B-a B-a", {("a", 0, 1), ("a", 1, 2)}),
        ("I-a I-a B-b", {("a", 0, 2), ("b", 2, 3)}),
        ("B-a I-b I-b O", {("a", 0, 1), ("b", 1, 3)}),
        ("O I-a", {("a", 1, 2)}),
        ("", set()),
    ],
)
def test_spans_of_tags(tags, spans):
    assert tagged_spans(tags.split()) == spans


def test_metrics_by_hand():
    """Given are person 0-2 and place 3-4; said are person 0-2, person 3-4, and place 4-5."""
    given = np.array([[1, 2, 0, 3, 0, IGNORED]])
    said = [1, 2, 0, 1, 3, 4]
    metrics = span_metrics(given, np.eye(5)[said][None], LABELS)
    assert metrics["precision"] == pytest.approx(1 / 3)
    assert metrics["recall"] == pytest.approx(1 / 2)
    assert metrics["f1"] == pytest.approx(2 / 5)
    assert metrics["f1_macro"] == pytest.approx((2 / 3 + 0) / 2)
    assert metrics["token_accuracy"] == pytest.approx(3 / 5)
    nothing = span_metrics(np.zeros((1, 3), int), np.eye(5)[[0, 0, 0]][None], LABELS)
    assert nothing == {
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
        "f1_macro": 0.0,
        "token_accuracy": 1.0,
    }


@pytest.mark.parametrize("seed", range(20))
def test_metrics_are_those_of_seqeval(seed):
    """Rows of random tags, among them ``I-`` where no span has begun, and rows without tokens."""
    random = np.random.default_rng(seed)
    labels = bio_labels(["person", "place", "work"][: seed % 3 + 1])
    rows = [random.choice(labels, size) for size in random.integers(0, 15, 30)]
    given = [row.tolist() for row in rows]
    # A third are wrong: there are spans found, missed, cut and invented.
    said = [
        np.where(random.random(len(row)) < 1 / 3, random.choice(labels, len(row)), row).tolist()
        for row in rows
    ]
    found = tag_metrics(given, said)
    expected = {
        "precision": seqeval.precision_score(given, said, zero_division=0),
        "recall": seqeval.recall_score(given, said, zero_division=0),
        "f1": seqeval.f1_score(given, said, zero_division=0),
        "f1_macro": seqeval.f1_score(given, said, average="macro", zero_division=0),
        "token_accuracy": seqeval.accuracy_score(given, said),
    }
    assert found == pytest.approx(expected)
    assert 0 < found["f1"] < 1


def test_rows_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="zip"):
        tag_metrics([["O", "O"]], [["O"]])
    with pytest.raises(ValueError, match="zip"):
        tag_metrics([["O"], ["O"]], [["O"]])


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        (5, "not a list of spans"),
        ("0-3", "not a list of spans"),
        ([(0, 3, "x")], "not a dict with start, end and label"),
        ([{"start": 0, "end": 3}], "not a dict with start, end and label"),
        ([span(0.5, 3, "person")], "must be whole numbers"),
        ([span(0, 9, "person")], "not within its text"),
        ([span(2, 2, "person")], "not within its text"),
        ([span(-1, 2, "person")], "not within its text"),
        ([span(0, 2, "person"), span(1, 3, "person")], "overlap"),
        ([span(0, 2, "persom")], "'persom' is not one of person; did you mean 'person'"),
        ([span(0, 2, None)], "the label None is not a name"),
    ],
)
def test_wrong_spans_are_named_with_their_rows(spans, said):
    data = pd.DataFrame({"text": ["abc", "abc"], "spans": [[], spans]}, index=["fine", "wrong"])
    (problem,) = span_problems(data, label_names=["person"])
    assert said in problem
    assert "1 of 2 rows: 'wrong'" in problem


def test_right_spans():
    data = pd.DataFrame({"text": ["abc"], "spans": [(span(1, 3, "x"), span(0, 1, "y"))]})
    assert span_problems(data) == []
