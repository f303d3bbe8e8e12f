"""A user's csv had the columns review and sentiment: every file had to be rewritten before each call."""

import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.errors import ConfigError, DataFormatError
from clx.ml import training_run
from conftest import fruit_frame

OWN = {"text_column": "review", "label_column": "sentiment"}
QUICK = {"training_args": {"max_steps": 1, "disable_tqdm": True}, "head_init": "random"}


def reviews(rows=40):
    frame = fruit_frame(rows).rename(columns={"text": "review", "label": "sentiment"})
    # A text of the same meaning under the task's own name must not be read.
    return frame.assign(text="the title")


@pytest.fixture
def run(tiny_model):
    run = training_run("classification", "reviews", base_model_name=tiny_model, **QUICK, **OWN)
    run.train(reviews(12))
    return run


@pytest.mark.slow
def test_a_run_reads_its_own_columns_in_every_call(run, tmp_path):
    opened = training_run(load=run.run_dir)
    assert {name: opened.config[name] for name in OWN} == OWN
    data, other = reviews(20), reviews(20).rename(columns={"review": "body", "sentiment": "kind"})
    there = {"text_column": "body", "label_column": "kind"}
    own = opened.evaluate(data)
    texts = own.tables["examples"]["text"] if "examples" in own.tables else data["review"]
    assert texts.tolist() == data["review"].tolist()
    assert opened.evaluate(data, text_column="text").metrics == own.metrics
    assert opened.evaluate(other, **there).metrics == own.metrics
    assert opened.compare(run, data).rows == opened.compare(run, other, **there).rows == 20
    assert opened.report(tmp_path / "r.html", other, **there).exists()
    assert opened.check(data).ok == opened.check(other, **there).ok
    assert len(opened.find_label_errors(other, folds=2, top=3, **there)) == 3

    scores = opened.predict_frame(data, all_scores=True)
    assert scores.equals(opened.predict_frame(data, "review", all_scores=True))
    assert scores.equals(opened.predict_frame(other, "body", all_scores=True))
    data.to_csv(tmp_path / "data.csv", index=False)
    target = opened.predict_file(tmp_path / "data.csv", tmp_path / "out.csv", all_scores=True)
    written = pd.read_csv(target)
    assert written["score"].round(4).tolist() == scores["score"].round(4).tolist()
    assert written["review"].tolist() == data["review"].tolist()

    with pytest.raises(DataFormatError, match="no column 'review'"):
        opened.evaluate(other)
    with pytest.raises(DataFormatError, match="no column 'review'"):
        opened.predict_frame(other)


def test_messages_name_the_columns_of_the_data(run):
    data = pd.concat([reviews(12), reviews(2)], ignore_index=True)
    data["review"] = data["review"].astype(object)
    data.loc[3, "review"] = None
    with pytest.raises(DataFormatError, match="column 'review': the text is missing in 1 of 14"):
        run.evaluate(data)
    with pytest.raises(DataFormatError, match="column 'body': the text is missing in 1 of 14"):
        run.evaluate(data.rename(columns={"review": "body"}), text_column="body")


def test_a_run_knows_which_of_its_own_columns_it_learned(run):
    assert run.evaluate(reviews(12)).learned_rows == 12


def test_a_trained_run_of_the_name_with_other_columns_is_another_one(run, tiny_model):
    other = training_run(
        "classification", "reviews", base_model_name=tiny_model, text_column="body"
    )
    with pytest.raises(ConfigError, match="text_column is 'review' in the saved run, not 'body'"):
        other.predict(["an apple"])


def test_on_the_command_line(tmp_path, tiny_model, monkeypatch, capsys):
    clx = Cli(capsys, monkeypatch)
    monkeypatch.chdir(tmp_path)
    reviews(12).to_csv("own.csv", index=False)
    there = reviews(12).rename(columns={"review": "body", "sentiment": "kind"})
    there.to_csv("other.csv", index=False)
    named = ["--text-column", "review", "--label-column", "sentiment"]
    other = ["--text-column", "body", "--label-column", "kind"]
    start = ["train", "classification", "r", "own.csv", "--eval", "own.csv", "--base-model"]
    assert clx(*start, tiny_model, "--set", "training_args.max_steps=1").status == 2
    assert clx(*start, tiny_model, *named, "--set", "training_args.max_steps=1").status == 0, (
        clx.err
    )
    assert clx("evaluate", "r", "own.csv", "--json").status == 0, clx.err
    metrics = json.loads(clx.out)["metrics"]
    assert clx("evaluate", "r", "other.csv", "--json").status == 2
    assert clx("evaluate", "r", "other.csv", *other, "--json").status == 0, clx.err
    assert json.loads(clx.out)["metrics"] == metrics
    assert clx("compare", "r", "r", "other.csv", *other).status == 0, clx.err
    assert clx("report", "r", "other.csv", *other, "-o", "r.html").status == 0, clx.err
    assert clx("predict", "r", "own.csv").status == 0, clx.err
    assert len(clx.lines) == 13
    first = clx.out
    assert clx("predict", "r", "other.csv", "--text-column", "body").out == first
    assert clx("train", "classification", "s", "own.csv", "--set", "text_column=review").status == 2
    assert "text_column must be set with --text-column" in clx.err
