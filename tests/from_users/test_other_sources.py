"""A user's folder had ``.csv.gz``, ``.json`` and subfolders: these rows were silently left out."""

import gzip
import json
import sqlite3

import datasets
import openpyxl
import pandas as pd
import pytest

from cli_helpers import Cli
from clx.errors import DataWarning
from clx.ml import training_run

ROWS = [("ripe apple", "fruit"), ("old dog", "animal"), ("a cat", "animal")]


def folder(tmp_path):
    place = tmp_path / "rows"
    (place / "more").mkdir(parents=True)
    (place / "1.csv.gz").write_bytes(gzip.compress(b"text,label\nripe apple,fruit\n"))
    (place / "2.json").write_text(json.dumps([{"text": "old dog", "label": "animal"}]))
    (place / "more" / "3.jsonl").write_text('{"label": "animal", "text": "a cat"}\n')
    return str(place)


def workbook(tmp_path):
    book = openpyxl.Workbook()
    for row in [("text", "label"), *ROWS]:
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")
    return f"{tmp_path}/rows.xlsx#Sheet"


def database(tmp_path):
    with sqlite3.connect(tmp_path / "rows.db") as connection:
        connection.execute("create table rows (text, label)")
        connection.executemany("insert into rows values (?, ?)", ROWS)
    connection.close()
    return f"sqlite:///{tmp_path}/rows.db?query=select text, label from rows where 1 + 1 = 2"


def saved_dataset(tmp_path):
    names = datasets.ClassLabel(names=["fruit", "animal"])
    features = datasets.Features(text=datasets.Value("string"), label=names)
    columns = {"text": [row[0] for row in ROWS], "label": [names.str2int(row[1]) for row in ROWS]}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "saved")
    return str(tmp_path / "saved")


def text_folder(tmp_path):
    for number, (text, label) in enumerate(ROWS):
        (tmp_path / "texts" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / label / f"{number}.txt").write_text(text)
    return str(tmp_path / "texts")


SOURCES = [folder, workbook, database, saved_dataset, text_folder]


@pytest.mark.parametrize("source", SOURCES)
def test_every_row_is_trained_on(tiny_model, tmp_path, source):
    run = training_run("classification", "rows", base_model_name=tiny_model)
    counts = run.check(source(tmp_path)).label_counts["train_data"]
    assert counts == {"animal": 2, "fruit": 1}


@pytest.mark.parametrize("source", SOURCES)
def test_every_row_is_predicted(trained, tmp_path, source):
    run = training_run(load=trained)
    target = run.predict_file(source(tmp_path), tmp_path / "out.jsonl")
    done = pd.read_json(target, lines=True)
    assert sorted(done["text"]) == sorted(text for text, _ in ROWS)
    assert list(done["predicted_label"]) == [
        max(scores, key=scores.get) for scores in run.predict(list(done["text"]))
    ]


@pytest.mark.parametrize("source", [workbook, database])
def test_every_row_is_predicted_on_the_command_line(capsys, monkeypatch, trained, tmp_path, source):
    cli = Cli(capsys, monkeypatch)
    assert cli("predict", trained, source(tmp_path)).status == 0
    assert sorted(line[0] for line in cli.lines[1:]) == sorted(text for text, _ in ROWS)


def test_what_is_not_read_is_named(tiny_model, tmp_path):
    place = folder(tmp_path)
    (tmp_path / "rows" / "more" / "about.md").write_text("about")
    run = training_run("classification", "rows", base_model_name=tiny_model)
    with pytest.warns(DataWarning, match=r"1 files.*left out.*more/about\.md"):
        run.check(place)
