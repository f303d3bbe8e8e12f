"""Exports of annotation tools become texts and labels; any other frame stays as it is."""

import json

import numpy as np
import pandas as pd
import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml.data import to_frame
from clx.ml.data.annotations import from_annotation_tool, texts_of_export


def annotation(*choices, question="topic", **more):
    result = {"from_name": question, "to_name": "text", "type": "choices"}
    return {"id": 1, "result": [{**result, "value": {"choices": list(choices)}}], **more}


def tasks(annotations, field="text"):
    return pd.DataFrame(
        {
            "id": range(7, 7 + len(annotations)),
            "data": [{field: f"text {n}"} for n in range(len(annotations))],
            "annotations": annotations,
            "predictions": [[] for _ in annotations],
        },
        index=[f"row{n}" for n in range(len(annotations))],
    )


def parts(frame):
    rows, notes = from_annotation_tool(frame)
    assert rows["label"].tolist() == rows["labels"].tolist()
    return rows["text"].tolist(), rows["labels"].tolist(), notes


def test_label_studio_tasks():
    frame = tasks(
        [
            [annotation("a")],
            [annotation("a", "b")],
            [],
            [annotation("a", was_cancelled=True)],
            [{"id": 2, "result": []}],
            [annotation("a", "b"), annotation("b", "a"), annotation("c")],
        ]
    )
    rows, notes = from_annotation_tool(frame)
    assert rows["labels"].tolist() == [["a"], ["a", "b"], [], ["b", "a"], ["c"]]
    assert rows["text"].tolist() == ["text 0", "text 1", "text 4", "text 5", "text 5"]
    assert rows.index.tolist() == ["row0", "row1", "row4", "row5", "row5"]
    assert rows["id"].tolist() == [7, 8, 11, 12, 12]
    assert rows["topic"].tolist() == rows["labels"].tolist()
    assert notes == [
        "2 of 6 Label Studio tasks are not annotated and were left out",
        "1 Label Studio tasks have differing annotations: each annotation is a row",
    ]


def test_label_studio_tasks_as_text_arrays_and_with_another_field():
    plain = tasks([[annotation("a")], [annotation("b")]], field="review")
    as_text = plain.assign(
        data=plain["data"].map(json.dumps), annotations=plain["annotations"].map(json.dumps)
    )
    as_arrays = plain.assign(
        annotations=[np.array(task, dtype=object) for task in plain["annotations"]]
    )
    for frame in (plain, as_text, as_arrays):
        rows, notes = from_annotation_tool(frame)
        assert rows["labels"].tolist() == [["a"], ["b"]]
        assert rows["text"].tolist() == rows["review"].tolist() == ["text 0", "text 1"]
        assert notes == []


def test_label_studio_with_several_questions_has_a_column_for_each():
    both = {"result": annotation("a")["result"] + annotation("x", question="label")["result"]}
    rows, notes = from_annotation_tool(tasks([[both], [annotation("b")]]))
    assert rows["topic"].tolist() == [["a"], ["b"]]
    assert rows["label"].tolist() == [["x"], []]
    assert "labels" not in rows.columns
    assert "several questions (label, topic)" in notes[0]


@pytest.mark.parametrize("column", ["topic", "label", "choices"])
@pytest.mark.parametrize("write", [json.dumps, dict], ids=["csv", "json-min"])
def test_label_studio_tables(column, write):
    frame = pd.DataFrame(
        {
            "annotation_id": [1, 2, 3],
            "annotator": 1,
            "created_at": "x",
            "id": [1, 2, 3],
            "lead_time": 1.5,
            column: ["a", write({"choices": ["a", "b"]}), None],
            "text": ["p", "q", "r"],
            "updated_at": "x",
        }
    )
    assert parts(frame) == (["p", "q", "r"], [["a"], ["a", "b"], []], [])


def test_prodigy_answers_and_choices():
    frame = pd.DataFrame(
        {
            "text": ["p", "q", "r", "s", "t"],
            "options": [[{"id": "a"}, {"id": "b"}]] * 5,
            "accept": [["a"], ["a", "b"], ["b"], ["b"], []],
            "answer": ["accept", "accept", "reject", "ignore", "accept"],
        }
    )
    texts, labels, notes = parts(frame)
    assert texts == ["p", "q", "t"]
    assert labels == [["a"], ["a", "b"], []]
    assert notes == ["2 of 5 Prodigy rows were left out: 1 rejected, 1 ignored"]


def test_prodigy_one_label_at_a_time():
    frame = pd.DataFrame(
        {"text": list("pqr"), "label": list("aab"), "answer": ["accept", "reject", "accept"]}
    )
    assert parts(frame)[:2] == (["p", "r"], [["a"], ["b"]])


def test_cats_of_spacy():
    cats = [{"a": 1.0, "b": 0.0}, {"a": 0, "b": 1, "c": None}]
    frame = pd.DataFrame({"text": ["p", "q"], "cats": cats})
    assert parts(frame)[:2] == (["p", "q"], [["a"], ["b"]])
    answered = frame.assign(answer=["accept", "reject"])
    assert parts(answered)[:2] == (["p"], [["a"]])
    scores = frame.assign(cats=[{"a": 0.4}, {"a": 0.6}])
    assert from_annotation_tool(scores)[0] is scores


def test_doccano():
    frame = pd.DataFrame({"id": [1, 2, 3], "text": list("pqr"), "Comments": ""})
    lists = [["a"], ["a", "b"], []]
    assert parts(frame.assign(label=pd.Series(lists)))[:2] == (list("pqr"), lists)
    assert parts(frame.assign(label=["a", "a#b", None]))[:2] == (list("pqr"), lists)
    older = pd.DataFrame({"id": [1], "data": ["p"], "label": [["a"]]})
    assert parts(older)[:2] == (["p"], [["a"]])


@pytest.mark.parametrize(
    "columns",
    [
        {"text": ["p"], "label": ["a"]},
        {"text": ["p"], "label": ["a#b"], "id": [1]},
        {"text": ["p"], "label": ["a"], "answer": ["yes"]},
        {"text": ["p"], "answer": ["accept"]},
        {"text": ["p"], "label": [[[0, 1, "PER"]]], "id": [1], "Comments": [[]]},
        {"text": ["p"], "label": ["a"], "data": ["x"], "annotations": ["y"]},
        {"data": [{"text": "p"}], "annotations": [[{"result": [{"value": {"labels": ["PER"]}}]}]]},
        {"text": ["p"], "annotator": ["me"], "label": ["a"]},
        {"text": ["p"], "cats": ["tabby"]},
        {1: ["p"], 2: ["a"]},
    ],
)
def test_ordinary_tables_stay_as_they_are(columns):
    frame = pd.DataFrame(columns)
    rows, notes = from_annotation_tool(frame)
    assert rows is frame
    assert notes == []


def test_the_door_counts_what_is_left_out_and_prediction_leaves_nothing_out():
    frame = tasks([[annotation("a")], []])
    with pytest.warns(DataWarning, match="train_data: 1 of 2 Label Studio tasks are not annotated"):
        assert len(to_frame(frame, "train_data")) == 1
    assert to_frame(frame, labeled=False)["text"].tolist() == ["text 0", "text 1"]
    assert texts_of_export(frame).index.tolist() == ["row0", "row1"]
    rejected = pd.DataFrame({"text": ["p"], "label": ["a"], "answer": ["reject"]})
    with (
        pytest.warns(DataWarning),
        pytest.raises(DataFormatError, match=r"no labeled rows: 1 of 1 Prodigy rows .* 1 rejected"),
    ):
        to_frame(rejected)
    assert to_frame(rejected, labeled=False) is rejected
