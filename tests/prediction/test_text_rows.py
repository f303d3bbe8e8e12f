"""Texts of an annotation tool's export, as predict_file and the command line read them."""

import json

import pandas as pd

from clx.cli.sources import source_of
from clx.ml import training_run

TASKS = [
    {"id": 1, "data": {"text": "ripe apple", "n": 1}, "annotations": []},
    {"id": 2, "data": {"text": "old dog", "n": 2}, "annotations": [{"result": []}]},
]


def test_the_texts_of_label_studios_tasks_are_predicted(trained, tmp_path):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(TASKS))
    run = training_run(load=trained)
    rows = pd.read_parquet(run.predict_file(path, tmp_path / "out.parquet"))
    assert rows["id"].tolist() == [1, 2]
    assert rows["label"].tolist() == run.predict_labels(["ripe apple", "old dog"])
    assert list(source_of([str(path)]).read(["text"])) == ["ripe apple", "old dog"]
