"""``clx demo``: its messages, what it writes, and that it says what it runs."""

import csv
import re
import shlex
from collections import Counter

import pytest

from cli_helpers import Cli
from clx.cli.demo_data import all_messages
from clx.ml import hookimpl, training_run
from clx.ml.plugins import register_plugin

TOPICS = "account billing cancellation damage delivery feedback product returns".split()
FILES = ["messages.csv", "answers.csv", "test.csv", "new.csv"]


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Cli(capsys, monkeypatch)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- The messages --------------------------------------------------------------------------------


def test_the_messages_are_evenly_about_eight_topics():
    test = Counter(each.topics[0] for each in all_messages() if each.part == "test")
    assert test == dict.fromkeys(TOPICS, 10)
    train = Counter(each.topics[0] for each in all_messages() if each.part == "train")
    assert sorted(train) == TOPICS
    assert min(train.values()) >= 40
    assert {topic for each in all_messages() for topic in each.topics} == set(TOPICS)
    assert sum(len(each.topics) > 1 for each in all_messages() if each.part == "train") >= 40


def test_no_message_is_a_template_with_other_words():
    texts = {each.text for each in all_messages()}
    assert len(texts) > 400
    beginnings = Counter(tuple(text.lower().split()[:4]) for text in texts)
    assert max(beginnings.values()) <= 5


def test_the_check_finds_what_is_planted(cli, tmp_path, recwarn):
    assert cli("demo", "--data-only", "-d", "shop").status == 0
    run = training_run("classification", "any")
    check = run.check("shop/messages.csv", "shop/test.csv")
    found = {(each.kind, each.where): each.count for each in check.findings}
    assert found["leaked_texts", "eval_data"] == 4
    assert found["conflicting_labels", "train_data"] >= 3
    assert found["duplicate_rows", "train_data"] >= 3
    assert found["truncated_texts", "train_data"] == 3


@pytest.mark.slow
def test_the_suspicious_rows_have_most_of_the_wrong_labels(cli, tmp_path, recwarn):
    cli("demo", "--data-only", "-d", "shop")
    given, right = (rows_of(tmp_path / "shop" / name) for name in FILES[:2])
    wrong = {n for n, pair in enumerate(zip(given, right, strict=True)) if pair[0] != pair[1]}
    assert len(wrong) == 51
    suspects = training_run("classification", "any").find_label_errors("shop/messages.csv")
    assert len(wrong & set(suspects.index)) >= 40
    assert len(suspects) <= 120


# ---- The files -----------------------------------------------------------------------------------


def test_data_only_writes_the_messages_and_nothing_else(cli, tmp_path):
    assert cli("demo", "--data-only", "--directory", "shop").status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop"]
    assert sorted(path.name for path in (tmp_path / "shop").iterdir()) == sorted(FILES)
    assert [line[0] for line in cli.lines] == ["written"] * 4
    messages, answers, test, new = (rows_of(tmp_path / "shop" / name) for name in FILES)
    assert [row["text"] for row in messages] == [row["text"] for row in answers]
    assert len(test) == 80
    assert list(new[0]) == ["text"]
    assert all(row["label"] in row["labels"].split("|") for row in messages + answers + test)


def test_an_empty_folder_will_do(cli, tmp_path):
    (tmp_path / "shop").mkdir()
    assert cli("demo", "--data-only", "-d", "shop").status == 0
    assert (tmp_path / "shop" / "new.csv").exists()


@pytest.mark.parametrize("more", [["--data-only"], []])
def test_nothing_that_is_there_is_overwritten(cli, tmp_path, more):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "test.csv").write_text("mine")
    assert cli("demo", "-d", "shop", *more).status == 2
    assert "shop already exists" in cli.err
    assert "--directory" in cli.err
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["test.csv"]
    assert (tmp_path / "shop" / "test.csv").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(cli, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert cli("demo", "--data-only", "-d", "file/shop").status == 2
    assert "file/shop cannot be written" in cli.err


def test_a_missing_task_is_named_before_anything_is_written(cli, tmp_path, monkeypatch):
    from clx.ml import task_registry

    monkeypatch.setenv("CLX_PLUGINS", "clx-tasks-classification")
    task_registry.refresh()
    try:
        assert cli("demo").status == 2
    finally:
        monkeypatch.delenv("CLX_PLUGINS")
        task_registry.refresh()
    assert "There is no task 'multi-label-classification'" in cli.err
    assert list(tmp_path.iterdir()) == []


# ---- The tour ------------------------------------------------------------------------------------


@pytest.fixture
def tiny_base(tiny_model, monkeypatch):
    """Take a tiny random model for the default base model, which would need two minutes."""

    class TinyBase:
        @hookimpl
        def clx_resolve_base_model(self, name):
            return tiny_model

    from clx.ml.plugins.manager import plugins

    plugin = TinyBase()
    register_plugin(plugin)
    yield
    plugins().unregister(plugin)


def test_the_tour_shows_each_command_and_what_comes_next(cli, tmp_path, tiny_base, recwarn):
    assert cli("demo", "--directory", "a shop").status == 0, cli.err
    titles = re.findall(r"^--- (\d+)\. (.*) ---$", cli.out, re.MULTILINE)
    assert [int(number) for number, _ in titles] == list(range(1, len(titles) + 1))
    shown = [shlex.split(line[2:]) for line in cli.out.splitlines() if line.startswith("$ ")]
    verbs = [words[1] for words in shown]
    assert verbs == ["compare", "train", "evaluate", "predict"]
    folder = tmp_path / "a shop"
    runs = {path.name for path in (folder / "runs").glob("[!.]*")}
    assert runs == {"first", "second", "final", "topics"}
    assert (folder / "runs" / "final" / "report.html").exists()
    assert (folder / "evaluation" / "report.html").exists()
    assert len(rows_of(folder / "corrected.csv")) == 327
    assert len(rows_of(folder / "fair-test.csv")) == 76
    assert "of 51 wrong labels found" in cli.out
    # What comes next names the paths that were written, quoted for a shell.
    assert "clx serve 'a shop/runs/final'" in cli.out
    assert [path.name for path in tmp_path.iterdir()] == ["a shop"]


def test_a_step_that_fails_says_what_is_left(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("clx.ml.model.embedded_model.embedded_folder", lambda: None)
    assert cli("demo").status == 2
    assert "remove it to start again" in cli.err
    assert "error: " in cli.err


@pytest.mark.slow
def test_the_final_model_is_the_better_one(cli, tmp_path, recwarn):
    assert cli("demo").status == 0
    first, final = (
        training_run(load=tmp_path / "clx-demo" / "runs" / name).evaluate(
            tmp_path / "clx-demo" / "test.csv"
        )
        for name in ("first", "final")
    )
    assert final.metrics["accuracy"] >= first.metrics["accuracy"]
    assert final.metrics["accuracy"] >= 0.75
