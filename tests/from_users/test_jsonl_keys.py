"""A user predicted a jsonl whose keys change after a few thousand rows: cells moved to other columns."""

import json

import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.data import to_frame
from clx.ml.prediction import predict_file as module

ROWS = [
    {"text": "ripe apple", "id": 1},
    {"id": 2, "text": "old dog"},
    {"text": "a cat", "id": 9007199254740993, "label": "animal", "more": {"a": [1, None]}},
    {"label": "fruit", "text": "a pear", "more": 5},
    {"text": "a plum"},
]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(module, "PART_ROWS", 2)
    monkeypatch.setattr("clx.ml.data.tables.json_rows.CHUNK_ROWS", 2)


def write(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    return path


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.tsv", "out.parquet"])
def test_every_cell_stays_in_its_column(trained, tmp_path, name):
    frame = to_frame(training_run(load=trained).predict_file(write(tmp_path), tmp_path / name))
    assert list(frame.columns)[:5] == ["text", "id", "label", "more", "predicted_label"]
    assert frame["text"].tolist() == [row["text"] for row in ROWS]
    gold = [None if value != value else value for value in frame["label"].astype(object)]
    assert gold == [None, None, "animal", "fruit", None]
    assert frame["predicted_label"].isin(["fruit", "animal"]).all()
    assert [str(value) for value in frame["id"].astype(object)[:3]] == [
        "1",
        "2",
        "9007199254740993",
    ]


def test_values_of_many_types_are_written_as_they_were(trained, tmp_path):
    done = training_run(load=trained).predict_file(write(tmp_path), tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in done.read_text().splitlines()]
    assert [row["more"] for row in rows] == [None, None, {"a": [1, None]}, 5, None]
    assert [row["id"] for row in rows] == [1, 2, 9007199254740993, None, None]


def test_training_frames_have_the_same_values(tmp_path):
    frame = to_frame(write(tmp_path))
    assert frame["more"].tolist()[2:4] == [{"a": [1, None]}, 5]
    assert int(frame["id"].iloc[2]) == 9007199254740993


def test_a_key_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text('{"text": "a plum"}\n{"text": "a pear", "n\\ud83d": 1}\n')
    with pytest.raises(DataFormatError, match=r"in\.jsonl has a key with half of a surrogate pair"):
        to_frame(path)
