"""The forms of data that the task reads, and what it says about wrong and odd rows."""

import json

import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError
from clx.ml.data import to_frame
from clx.ml.spans import span_list, spans_frame, tagged_spans
from clx_tasks_tokens import TokenClassificationRun
from clx_tasks_tokens.data import read_rows

DATA = TokenClassificationRun.sample_data()
ADA = {"start": 0, "end": 3, "label": "person"}
PARIS = {"start": 13, "end": 18, "label": "place"}
WORDS = pd.DataFrame(
    {
        "tokens": [["Ada", "lives", "in", "Paris"], ["Bo", "Li"], ["nobody"]],
        "ner_tags": [["B-person", "O", "O", "B-place"], ["B-person", "I-person"], ["O"]],
    },
    index=[3, 1, 2],
)


@pytest.fixture
def run(tiny_model):
    return TokenClassificationRun("read", base_model_name=tiny_model)


@pytest.mark.parametrize(
    "cell",
    [
        [ADA, PARIS],
        (ADA, PARIS),
        json.dumps([ADA, PARIS]),
        str([ADA, PARIS]),
        [[0, 3, "person"], (13, 18, "place")],
        json.dumps([[0, 3, "person"], [13, 18, "place"]]),
    ],
)
def test_cells_of_spans(cell):
    assert list(span_list(cell)) == [ADA, PARIS]


@pytest.mark.parametrize("cell", [None, 5, "0-3", "", {"start": 0}, float("nan")])
def test_other_cells_are_unchanged(cell):
    assert span_list(cell) is cell


def test_csv_and_jsonl_and_parquet(tmp_path, run):
    texts = {"spans": [json.dumps(spans) for spans in DATA["spans"]]}
    DATA.assign(**texts).to_csv(tmp_path / "a.csv", index=False)
    DATA.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    DATA.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        frame = read_rows(to_frame(tmp_path / name))
        assert [list(map(dict, spans)) for spans in frame["spans"]] == DATA["spans"].tolist()
        run.validate_data_format(frame)


def test_words_and_tags(tmp_path):
    before = WORDS.copy(deep=True)
    frame = read_rows(WORDS)
    pd.testing.assert_frame_equal(WORDS, before)
    assert frame.index.tolist() == [3, 1, 2]
    assert frame["text"].tolist() == ["Ada lives in Paris", "Bo Li", "nobody"]
    assert frame["spans"].tolist() == [[ADA, PARIS], [ADA | {"end": 5}], []]
    WORDS.map(json.dumps).to_csv(tmp_path / "words.csv", index=False)
    assert read_rows(to_frame(tmp_path / "words.csv"))["spans"].tolist() == frame["spans"].tolist()


def test_a_dataset_with_class_labels():
    import datasets

    names = ["O", "B-person", "I-person", "B-place", "I-place"]
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    ids = [[names.index(tag) for tag in tags] for tags in WORDS["ner_tags"]]
    rows = {"tokens": WORDS["tokens"].tolist(), "ner_tags": ids}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    expected = read_rows(WORDS)["spans"].tolist()
    assert read_rows(to_frame(dataset))["spans"].tolist() == expected
    with pytest.raises(DataFormatError, match="the tag 1 is not 'O', 'B-…'"):
        read_rows(pd.DataFrame(rows))


@pytest.mark.parametrize(
    "tags",
    [
        ["B-x", "I-x", "I-x", "O", "B-y", "B-y", "O"],  # BIO, IOB2
        ["B-x", "I-x", "L-x", "O", "U-y", "U-y", "O"],  # BILOU
        ["B-x", "I-x", "E-x", "O", "S-y", "S-y", "O"],  # BIOES
    ],
)
def test_schemes_of_tags(tags):
    assert tagged_spans(tags) == {("x", 0, 3), ("y", 4, 5), ("y", 5, 6)}
    frame = spans_frame(pd.DataFrame({"words": [list("abcdefg")], "tags": [tags]}))
    assert [span["label"] for span in frame["spans"][0]] == ["x", "y", "y"]


def test_io_tags():
    assert tagged_spans(["I-x", "I-x", "I-y", "O", "I-y"]) == {
        ("x", 0, 2),
        ("y", 2, 3),
        ("y", 4, 5),
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spans": [[{"start": 2, "end": 2, "label": "a"}]]}, "a span is not within its text"),
        ({"spans": [[ADA, {**ADA, "start": 2}]]}, "spans overlap"),
        ({"spans": [None]}, "not a list of spans"),
        ({"spans": [[{**ADA, "label": 3}]]}, "the label 3 is not a name"),
        ({"text": [None]}, "the text is missing"),
        ({"spans": [[]]}, "no row has a span"),
        ({"words": [["a", "b"]], "tags": [["O"]]}, "the numbers of words and tags differ"),
        ({"words": [["a"]], "tags": [["person"]]}, "the tag 'person' is not 'O'"),
    ],
)
def test_wrong_rows_are_refused_with_their_numbers(tiny_model, change, said):
    if "words" in change:
        data = pd.DataFrame(change, index=[7])
    else:
        data = pd.DataFrame({"text": ["Ada lives in Paris"], "spans": [[ADA]]} | change, index=[7])
    run = TokenClassificationRun("wrong", base_model_name=tiny_model)
    with pytest.raises(DataFormatError) as caught:
        run.check(data)
    assert said in str(caught.value)
    assert str(caught.value).startswith("train_data: ")
    assert "7" in str(caught.value) or said.startswith("no row")


def test_odd_rows_are_found(tiny_model):
    texts = ["cat , dog", " the cat is red", "big horse"] + ["nobody"] * 15
    spans = [
        [{"start": 0, "end": 2, "label": "animal"}],
        [{"start": 4, "end": 9, "label": "animal"}],
        [{"start": 3, "end": 4, "label": "animal"}],
    ]
    data = pd.DataFrame(
        {"text": texts, "spans": spans + [[]] * 15}, index=list("abcdefghijklmnopqr")
    )
    check = TokenClassificationRun("odd", base_model_name=tiny_model).check(data, data.iloc[:1])
    kinds = {(finding.kind, finding.where): finding for finding in check.findings}
    assert ("misaligned_spans", "eval_data") in kinds
    found = kinds["misaligned_spans", "train_data"]
    assert (found.count, found.rows) == (3, ("a", "b", "c"))
    assert "row 'a' ('ca' is read as 'cat')" in found.message
    assert "row 'b' (' cat ' is read as 'cat')" in found.message
    assert "row 'c' (' ' has no word of its own)" in found.message
    assert kinds["texts_without_spans", "train_data"].count == 15
    assert ("rare_labels", "train_data") in kinds
    assert ("leaked_texts", "eval_data") in kinds
    assert ("duplicate_rows", "train_data") in kinds
    assert "Misaligned spans" in check._repr_html_()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"aggregation_strategy": "simple"}, "must be one of first, average, max"),
        ({"stride": -1}, "stride must be a number of tokens"),
        ({"label_names": [1, 2]}, "label_names must be str"),
        ({"label_names": []}, "needs at least 1 name"),
        ({"label_names": ["a"], "thresholds": {"b": 0.1}}, "'b', which is not a label"),
        ({"thresholds": 2}, "thresholds must be a number from 0 to 1"),
        ({"threshold_objective": "precision"}, "must be a number above 0"),
        ({"long_text": "window"}, "the task's pipeline is 'token-classification'"),
    ],
)
def test_wrong_options(options, said):
    with pytest.raises(ConfigError) as caught:
        TokenClassificationRun("wrong", **options)
    assert said in str(caught.value)
    TokenClassificationRun("one", label_names=iter(["only"]))
