"""clx runs, note, mv and rm: lists and their order, and what is asked before something goes."""

import io
import json
import shutil

import pytest

from cli_helpers import Cli
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def runs(trained, own_data_dir):
    """Three runs in the default folder, which differ in a metric, the task and the date."""
    folder = own_data_dir / "runs"
    folder.mkdir()
    for name, (task, day, metrics) in {
        "good": ("classification", "01", {"accuracy": 0.9, "log_loss": 0.7}),
        "bad": ("classification", "03", {"accuracy": 0.5, "log_loss": 0.2, "own": 1.0}),
        "tags": ("multi-label-classification", "02", {"f1_micro": 0.7}),
    }.items():
        run = RunDir(folder / name)
        shutil.copytree(trained, run.path)
        config = run.read_config() | {"task": task, "run_name": name}
        results = run.read_results() | {"finished": f"2026-05-{day} 10:00:00 +0000"}
        (run.path / "config.json").write_text(json.dumps(config))
        (run.path / "results.json").write_text(json.dumps(results | {"metrics": metrics}))
    return folder


def listed(cli, *words):
    assert cli("runs", *words).status == 0, cli.err
    return [line[0] for line in cli.lines[1:]]


def test_runs_in_the_order_of_a_metric_or_a_column(cli, runs):
    assert listed(cli) == ["bad", "tags", "good"]
    assert listed(cli, "--sort", "accuracy") == ["good", "bad", "tags"]
    assert [line[3] for line in cli.lines[1:]] == ["accuracy 0.9000", "accuracy 0.5000", ""]
    assert listed(cli, "--sort", "log_loss") == ["bad", "good", "tags"]
    assert listed(cli, "--sort", "own") == ["bad", "good", "tags"]
    assert listed(cli, "--sort", "run") == ["bad", "good", "tags"]
    assert [run["name"] for run in json.loads(cli("runs", "--json", "--sort", "accuracy").out)] == [
        "good",
        "bad",
        "tags",
    ]
    assert cli("runs", "--sort", "acuracy").status == 2
    assert "nothing called 'acuracy' to sort by" in cli.err
    assert "accuracy" in cli.err


def test_runs_of_a_task(cli, runs):
    assert listed(cli, "--task", "classification") == ["bad", "good"]
    assert listed(cli, "--task", "multilabel") == ["tags"]
    assert listed(cli, "--task", "token-classification") == []
    assert "of the task token-classification" in cli.err
    assert cli("runs", "--task", "clasification").status == 2


def test_a_note_is_shown_in_lists(cli, runs):
    assert cli("note", "good", "keep", "this one").status == 0
    assert cli("note", "good").out == "keep this one\n"
    assert listed(cli, "--sort", "note") == ["good", "bad", "tags"]
    assert [line[5] for line in cli.lines[1:]] == ["keep this one", "", ""]
    assert "keep this one" in cli.on_terminal("runs", width=200).out
    assert dict(cli("show", "good").lines)["note"] == "keep this one"
    assert json.loads(cli("show", "good", "--json").out)["note"] == "keep this one"
    assert json.loads(cli("note", "good", "", "--json").out)["note"] == ""
    assert cli("note", "good").out == ""
    assert not (runs / "good" / "note.txt").exists()


def test_a_damaged_run_is_not_renamed(cli, runs):
    assert cli("mv", "good", "better").status == 2
    assert "is damaged: config.json" in cli.err
    assert len(listed(cli)) == 3


def test_a_renamed_run_predicts(cli, trained, own_data_dir):
    folder = own_data_dir / "runs"
    folder.mkdir()
    shutil.copytree(trained, folder / "good")
    assert cli("predict", "good", "a cat").status == 0
    before = cli.out
    assert cli("mv", "good", "better").lines == [
        ["run", "better"],
        ["path", str(folder / "better")],
    ]
    assert cli("predict", "better", "a cat").out == before
    assert cli("verify", "better").status == 0
    assert cli("verify", "good").status == 2


def test_runs_are_removed_only_when_that_is_sure(cli, runs, monkeypatch):
    assert cli("rm", "good", stdin=b"y\n").status == 2
    assert "add --yes" in cli.err
    assert cli("rm", "good", "nothing", str(runs), "--yes").status == 2
    assert "nothing" in cli.err
    assert "is a folder, but not a clx run" in cli.err
    with only_writer(RunDir(runs / "bad")):
        assert cli("rm", "good", "bad", "--yes").status == 2
    assert "is in training" in cli.err
    assert len(listed(cli)) == 3
    assert cli("rm", "good", "good", runs / "tags", "--yes").status == 0
    assert cli.lines[1:] == [["good", str(runs / "good")], ["tags", str(runs / "tags")]]
    assert listed(cli) == ["bad"]


@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("\n", 3), ("", 3), ("no\n", 3)])
def test_a_question_on_a_terminal(cli, runs, monkeypatch, answer, left):
    class Keyboard(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Keyboard(answer))
    assert cli("rm", "good").status == 0
    assert "Remove this run? [y/N]" in cli.err
    assert str(runs / "good") in cli.err
    assert len(listed(cli)) == left
