"""clx check, clx labels DATA and clx cv: their arguments, their output and their exit statuses."""

import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.cli.cross_validate import task_and_data
from clx.cli.run_or_data import names_data
from clx.errors import ConfigError


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def csv(fruit, tmp_path):
    path = tmp_path / "fruit.csv"
    fruit.to_csv(path, index=False)
    return path


def test_findings_are_the_exit_status_of_a_check(cli, csv, tiny_model, tmp_path, own_data_dir):
    clean = tmp_path / "clean.csv"
    texts = [f"{a} {b}" for a in ("apple", "lemon", "melon") for b in ("cat", "dog", "cow", "goat")]
    pd.DataFrame({"text": texts, "label": ["a", "b"] * 6}).to_csv(clean, index=False)
    base = ["--base-model", tiny_model]
    assert cli("check", clean, *base).status == 0, cli.out
    assert cli.lines == [["kind", "data", "rows", "finding"]]
    assert json.loads(cli("check", clean, *base, "--json").out)["ok"] is True

    assert cli("check", csv, csv, *base).status == 1
    findings = cli.lines[1:]
    assert {len(line) for line in findings} == {4}
    assert ["leaked_texts", "eval_data"] in [line[:2] for line in findings]
    document = json.loads(cli("check", csv, "0.25", *base, "--json").out)
    assert document["rows"] == {"train_data": 30, "eval_data": 10}
    assert cli.status == 1
    assert cli("check", tmp_path / "nothing.csv", *base).status == 2
    assert cli("check", csv, "--task", "clasification").status == 2
    lines = cli.on_terminal("check", csv, csv, *base, width=80).out.splitlines()
    assert cli.status == 1
    assert max(map(len, lines)) <= 80
    assert not (own_data_dir / "runs").exists()


def test_a_check_reads_the_columns_that_are_named(cli, fruit, tiny_model, tmp_path):
    path = tmp_path / "named.csv"
    named = fruit.rename(columns={"text": "body", "label": "kind"})
    named.to_csv(path, index=False, sep=";")
    words = ["--text-column", "body", "--label-column", "kind", "--separator", ";"]
    assert cli("check", path, *words, "--base-model", tiny_model, "--json").status == 1
    assert json.loads(cli.out)["label_counts"] == {"train_data": {"animal": 20, "fruit": 20}}


# ---- labels --------------------------------------------------------------------------------------


def test_suspicious_labels_are_listed(cli, fruit, tiny_model, tmp_path):
    path = tmp_path / "wrong.csv"
    fruit.loc[3, "label"] = "animal"
    fruit.to_csv(path, index=False)
    words = ["labels", path, "--base-model", tiny_model, "--top", "4", "--folds", "3"]
    assert cli(*words).status == 0, cli.err
    heading, *rows = cli.lines
    assert heading == ["row", "text", "given", "suggested", "score", "confidence"]
    assert len(rows) == 4
    document = json.loads(cli(*words, "--json").out)
    assert document["rows"] == 40
    assert [str(label["row"]) for label in document["labels"]] == [row[0] for row in rows]
    assert "The 4 most suspicious of 40 labels" in cli.on_terminal(*words).out
    target = tmp_path / "out.csv"
    target.write_text("here before")
    assert cli(*words, "-o", target).status == 2
    assert "exists" in cli.err
    assert cli(*words, "-o", path, "--overwrite").status == 2
    assert "cannot be both the source and the target" in cli.err
    assert cli(*words, "-o", target, "--overwrite").status == 0
    assert f"clx train classification NAME {target}" in cli.err
    assert pd.read_csv(target)["suggested_label"].notna().sum() == 4


def test_a_run_and_data_are_told_apart(cli, trained, csv, own_data_dir, tmp_path, monkeypatch):
    runs = own_data_dir / "runs"
    runs.mkdir()
    trained.rename(runs / "news")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert not names_data("news")
    assert not names_data(str(runs / "news"))
    assert not names_data(str(runs / "news" / "config.json"))
    assert not names_data("hf://owner/news")
    for data in (str(csv), "missing.csv", "rows-*.csv", "s3://bucket/rows.parquet", str(work)):
        assert names_data(data), data
    with pytest.raises(
        ConfigError, match=r"neither a run nor data called 'nesw'.*did you mean 'news'"
    ):
        names_data("nesw")
    (work / "news").mkdir()
    with pytest.raises(
        ConfigError, match=r"both a run and data: write .*runs/news for the run, or \./news"
    ):
        names_data("news")
    assert names_data("./news")
    assert cli("labels", runs / "news", "--top", "3", "-o", "x.csv").status == 2
    assert "--output, --top are for labeled data" in cli.err
    assert cli("labels", csv, "--rename", "a=b").status == 2
    assert "--rename are for the labels of a run" in cli.err


# ---- cv ------------------------------------------------------------------------------------------


def test_the_task_of_a_cross_validation_is_an_option_and_the_older_form_works():
    assert task_and_data(["rows.csv"], None) == ("classification", "rows.csv")
    assert task_and_data(["rows.csv"], "multilabel") == ("multilabel", "rows.csv")
    assert task_and_data(["multilabel", "rows.csv"], None) == ("multilabel", "rows.csv")
    assert task_and_data(["multilabel", "rows.csv"], "multilabel") == ("multilabel", "rows.csv")
    with pytest.raises(ConfigError, match=r"takes one argument, the data, but got 2.*--task"):
        task_and_data(["a.csv", "b.csv"], None)
    with pytest.raises(ConfigError, match="as an argument, but 'classification' with --task"):
        task_and_data(["multilabel", "rows.csv"], "classification")
