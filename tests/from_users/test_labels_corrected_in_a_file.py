"""Somebody corrected labels in a notebook: the command line had no file to correct and read back."""

import csv
import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.ml import training_run
from clx.ml.data import to_frame


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_file_is_corrected_and_read_back(cli, fruit, tiny_model, tmp_path, own_data_dir):
    source, target = tmp_path / "rows.csv", tmp_path / "fixed.csv"
    frame = fruit.assign(id=[f"{n:03}" for n in range(40)], note=['a "quote",\nand a line'] * 40)
    frame.loc[[2, 5], "note"] = None
    frame.loc[3, "label"] = "animal"
    frame.to_csv(source, index=False)
    words = ["--base-model", tiny_model, "--top", "3"]
    assert cli("labels", source, *words, "-o", target).status == 0, cli.err

    before, after = to_frame(source), to_frame(target)
    pd.testing.assert_frame_equal(after[list(before.columns)], before)
    assert list(after.columns) == [*before.columns, "suggested_label", "label_score"]
    suggested = after[after["suggested_label"].notna()]
    assert len(suggested) == 3
    assert set(suggested["suggested_label"]) <= {"animal", "fruit"}

    corrected = rows_of(target)
    for row in corrected:
        row["label"] = row["suggested_label"] or row["label"]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(corrected[0]))
        writer.writeheader()
        writer.writerows(corrected)
    train = ["--base-model", tiny_model, "--set", "training_args.max_steps=1"]
    assert cli("train", "classification", "fixed", target, *train).status == 0, cli.err
    assert training_run(load="fixed").label_names == ["animal", "fruit"]

    # The columns of an earlier call are replaced.
    again = tmp_path / "again.csv"
    assert cli("labels", target, *words, "-o", again).status == 0, cli.err
    assert list(to_frame(again).columns) == list(after.columns)


def test_several_labels_per_text_are_lists_in_the_file(cli, tiny_model, tmp_path):
    source, target = tmp_path / "rows.csv", tmp_path / "fixed.csv"
    words = ["apple", "cat", "lemon cow", "melon"] * 6
    labels = ["fruit", "animal", "fruit|animal", ""] * 6
    pd.DataFrame({"text": words, "labels": labels}).to_csv(source, index=False)
    how = ["--task", "multilabel", "--base-model", tiny_model, "--top", "2"]
    assert cli("labels", source, *how, "-o", target).status == 0, cli.err
    rows = rows_of(target)
    assert [row["labels"] for row in rows] == labels
    given = [row["suggested_label"] for row in rows if row["suggested_label"]]
    assert len(given) == 2
    assert all(isinstance(json.loads(cell), list) for cell in given)


def test_a_column_that_would_be_replaced_is_refused(cli, fruit, tiny_model, tmp_path):
    source = tmp_path / "rows.csv"
    fruit.assign(label_score=1).to_csv(source, index=False)
    words = ["labels", source, "--base-model", tiny_model, "-o", tmp_path / "fixed.csv"]
    assert cli(*words).status == 2
    assert "a column 'label_score', which would be replaced" in cli.err
    assert not (tmp_path / "fixed.csv").exists()
