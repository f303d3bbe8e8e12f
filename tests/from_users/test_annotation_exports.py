"""A user passed the export of an annotation tool: clx found no text, or trained on rejected rows."""

import json

import pandas as pd
import pytest

from clx.errors import DataWarning
from clx.ml import training_run


def prodigy(data, folder):
    rows = [
        {"text": text, "accept": [label], "answer": "accept", "_task_hash": number}
        for number, (text, label) in enumerate(data.itertuples(index=False))
    ]
    rows += [{"text": "wrong", "accept": ["fruit"], "answer": "reject", "_task_hash": 99}]
    path = folder / "prodigy.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path, "1 of 41 Prodigy rows were left out: 1 rejected"


def doccano(data, folder):
    path = folder / "doccano.jsonl"
    rows = [{"text": text, "label": [label]} for text, label in data.itertuples(index=False)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path, None


def label_studio(data, folder):
    def annotations(label):
        return [{"result": [{"from_name": "topic", "value": {"choices": [label]}}]}]

    frame = pd.DataFrame(
        {
            "id": range(len(data)),
            "data": [{"text": text} for text in data["text"]],
            "annotations": [annotations(label) for label in data["label"]],
        }
    )
    skipped = {"id": 99, "data": {"text": "hard"}, "annotations": [{"was_cancelled": True}]}
    frame.loc[len(frame)] = skipped
    return frame, "1 of 41 Label Studio tasks are not annotated"


@pytest.mark.parametrize("export", [prodigy, doccano, label_studio])
@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_every_tool_gives_the_rows(tiny_model, tmp_path, fruit, export, task, recwarn):
    source, said = export(fruit, tmp_path)
    check = training_run(task, "tool", base_model_name=tiny_model).check(source)
    assert check.rows == {"train_data": 40}
    assert check.label_counts["train_data"] == {"animal": 20, "fruit": 20}
    warned = [str(w.message) for w in recwarn if w.category is DataWarning]
    assert [text for text in warned if said and said in text] == warned[:1]


def test_evaluation_leaves_rows_out_and_prediction_does_not(trained, fruit, tmp_path):
    run = training_run(load=trained)
    export, said = label_studio(fruit, tmp_path)
    with pytest.warns(DataWarning, match=said):
        assert run.evaluate(export).metrics == run.evaluate(fruit).metrics
    predicted = run.predict_frame(export)
    assert len(predicted) == 41
    assert predicted["label"].tolist()[:40] == run.predict_frame(fruit)["label"].tolist()
