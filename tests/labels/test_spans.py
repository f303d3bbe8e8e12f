"""Spans of characters: labels of tokens, windows, and F1 of whole spans, checked by hand."""

import numpy as np
import pandas as pd
import pytest
from seqeval import metrics as seqeval
from transformers import AutoTokenizer

from clx.errors import ConfigError, DataFormatError
from clx.ml.spans import (
    IGNORED,
    bio_labels,
    span_label_names,
    span_metrics,
    span_problems,
    span_windows,
    spans_frame,
    tag_metrics,
    tagged_spans,
    text_and_spans,
    word_problems,
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


# ---- Words and tags ----------------------------------------------------------------------------------


def test_words_and_tags_become_a_text_and_spans():
    words = ["Ada", "Maria", "met", "Bo", "in", "Paris"]
    text, spans = text_and_spans(words, ["B-person", "I-person", "O", "B-person", "O", "I-place"])
    assert text == "Ada Maria met Bo in Paris"
    assert [(text[s["start"] : s["end"]], s["label"]) for s in spans] == [
        ("Ada Maria", "person"),
        ("Bo", "person"),
        ("Paris", "place"),
    ]
    assert text_and_spans([], []) == ("", [])
    assert text_and_spans(["a", "b"], ["B-x", "B-x"])[1] == [span(0, 1, "x"), span(2, 3, "x")]


def test_a_frame_of_words_and_tags(tokenizer):
    """The tokens' labels are the tags that the words had; arrays, as parquet gives them, are lists."""
    words, tags = ["Ada", "lives", "in", "Xanten"], ["B-person", "O", "O", "B-place"]
    data = pd.DataFrame(
        {"words": [words, np.array(["nobody"])], "tags": [tags, np.array(["O"])], "id": [7, 8]},
        index=["one", "two"],
    )
    before = data.copy(deep=True)
    frame = spans_frame(data)
    assert list(frame.columns) == ["id", "text", "spans"]
    assert list(frame.index) == ["one", "two"]
    assert frame["text"].tolist() == ["Ada lives in Xanten", "nobody"]
    assert span_problems(frame, label_names=["person", "place"]) == []
    texts, spans = frame["text"].tolist(), frame["spans"].tolist()
    labelled = span_windows(tokenizer, texts, spans, LABELS, 4, {})["labels"]
    assert [LABELS[i] for i in labelled[0] if i != IGNORED] == tags
    pd.testing.assert_frame_equal(data, before)
    named = data.rename(columns={"words": "tokens", "tags": "ner"})
    other = spans_frame(named, "tokens", "ner", text_column="sentence", column="entities")
    assert other["entities"].tolist() == frame["spans"].tolist()
    assert other["sentence"].tolist() == frame["text"].tolist()


@pytest.mark.parametrize(
    ("words", "tags", "said"),
    [
        ("Ada lives", ["O", "O"], "column 'words': not a list of words"),
        (None, ["O", "O"], "column 'words': not a list of words"),
        (["Ada", 5], ["O", "O"], "column 'words': the word 5 is not a string"),
        (["Ada", " "], ["O", "O"], "column 'words': a word is empty or blank"),
        (["Ada", "lives"], "OO", "column 'tags': not a list of tags"),
        (["Ada", "lives"], ["O"], "column 'tags': the numbers of words and tags differ"),
        (["Ada", "lives"], ["O", 3], "column 'tags': the tag 3 is not 'O', 'B-…' or 'I-…'"),
        (["Ada", "lives"], ["O", "X-x"], "column 'tags': the tag 'X-x' is not"),
        (["Ada", "lives"], ["O", "B-"], "column 'tags': the tag 'B-' is not"),
    ],
)
def test_wrong_words_and_tags_are_named_with_their_rows(words, tags, said):
    data = pd.DataFrame(
        {"words": [["a"], words], "tags": [["O"], tags]}, index=["fine", "wrong"], dtype=object
    )
    (problem,) = word_problems(data)
    assert said in problem
    assert "1 of 2 rows: 'wrong'" in problem
    with pytest.raises(DataFormatError) as caught:
        spans_frame(data)
    assert problem in str(caught.value)
    assert "Expected: a column 'words' of lists of str and a column 'tags'" in str(caught.value)


def test_words_without_tags():
    with pytest.raises(DataFormatError, match="no column 'tags'"):
        spans_frame(pd.DataFrame({"words": [["a"]]}))
