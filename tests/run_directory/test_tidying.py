"""Runs are renamed, moved, removed and noted about, whole or not; what the user has is kept."""

import json
import os
import re
import shutil

import pytest

from clx import ml
from clx.errors import (
    ClxError,
    ConfigError,
    RunBusyError,
    RunDirError,
    RunExistsError,
    RunNotFoundError,
)
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.finding import find_any_run, holds_run
from clx.ml.run_directory.identities import identities
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import is_being_written, only_writer
from clx.ml.run_directory.moving import move_run, place_for
from clx.ml.run_directory.notes import read_note, write_note
from clx.ml.run_directory.removal import remove_run
from clx.ml.run_directory.staging import staged
from clx.ml.run_directory.unfinished import unfinished_runs

CARD = """---
tags: ["clx"]
model-index: [{"name": "news", "results": []}]
---

# news

It is news.
"""
PAGE = '<title>news</title><h1 dir="auto">news</h1><p>news</p>'


def publish(folder, name="news", **config):
    run = RunDir(folder / name)
    with staged(run) as new:
        known = {"schema_version": 1, "task": "classification", "run_name": name, "own": [1]}
        write_json(new.path / "config.json", {**known, **config})
        write_json(new.path / "results.json", {"metrics": {"accuracy": 0.5}})
        (new.path / "report.html").write_text(PAGE)
        new.model.mkdir()
        (new.model / "README.md").write_text(CARD)
        (new.model / "model.safetensors").write_bytes(b"weights")
    return run


def begin(run, step=4, steps=9):
    """Leave what an interrupted training leaves."""
    checkpoint = run.checkpoints / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    config = {"task": "classification", "run_name": run.path.name}
    write_json(run.checkpoints / "training.json", {"config": config})
    write_json(checkpoint / "trainer_state.json", {"global_step": step, "max_steps": steps})
    sizes = {path.name: path.stat().st_size for path in checkpoint.iterdir()}
    write_json(checkpoint / "clx-complete.json", {"files": sizes, "finished": False})
    return run


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- Moving --------------------------------------------------------------------------------------


def test_a_renamed_run_has_its_name_everywhere_and_stays_known(tmp_path):
    run = publish(tmp_path)
    run.study.write_bytes(b"trials")
    (run.path / "mine.txt").write_text("mine")
    before = run.identity()
    moved = move_run(run, place_for(run, "papers & news"))
    assert moved.path == tmp_path / "papers & news"
    assert listing(tmp_path) == [".papers & news.tuning.db", "papers & news"]
    moved.check(hashes=True)
    config = moved.read_config()
    assert (config["run_name"], config["own"]) == ("papers & news", [1])
    assert before in identities(moved)
    page = (moved.path / "report.html").read_text()
    named = "papers &amp; news"
    assert page == f'<title>{named}</title><h1 dir="auto">{named}</h1><p>news</p>'
    card = (moved.model / "README.md").read_text()
    assert "\n# papers & news\n\nIt is news.\n" in card
    assert '[{"name": "papers & news", ' in card
    assert (moved.path / "mine.txt").read_text() == "mine"


def test_a_run_that_is_only_moved_is_the_same_files(tmp_path):
    run, folder = publish(tmp_path), tmp_path / "archive"
    folder.mkdir()
    before = (run.path / "manifest.json").read_bytes()
    run.study.write_bytes(b"trials")
    moved = move_run(run, place_for(run, f"{folder}/"))
    assert moved.path == folder / "news"
    assert moved.study.read_bytes() == b"trials"
    assert (moved.path / "manifest.json").read_bytes() == before
    assert listing(tmp_path) == ["archive"]


def test_a_move_to_another_file_system_copies_the_whole_run(tmp_path, monkeypatch):
    run, folder = publish(tmp_path), tmp_path / "archive"
    folder.mkdir()
    rename = type(tmp_path).rename

    def refusing(self, target):
        if self.name == "news":
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", refusing)
    moved = move_run(run, folder / "news")
    moved.check(hashes=True)
    assert listing(tmp_path) == ["archive"]
    assert listing(folder) == ["news"]


def test_an_unfinished_training_moves_with_its_checkpoints(tmp_path):
    run = begin(RunDir(tmp_path / "news"))
    moved = move_run(run, place_for(run, "papers"))
    (found,) = unfinished_runs(tmp_path)
    assert (found.path, found.step, found.steps) == (moved.path, 4, 9)
    assert listing(tmp_path) == ["papers"]


@pytest.mark.parametrize(
    ("new", "error", "said"),
    [
        ("other", RunExistsError, "other exists: choose another name"),
        ("", ConfigError, "run_name must be a non-empty str"),
        (".hidden", ConfigError, "starts with a dot"),
        ("nowhere/news", ConfigError, "There is no folder .*nowhere: create it"),
        ("nowhere/", ConfigError, "There is no folder .*nowhere: create it"),
        ("runs/news/inside", ConfigError, "cannot be moved into itself"),
        ("here", ConfigError, r"can be a new name or the folder .*here: write \./here/"),
        ("runs/other", RunExistsError, "other exists"),
    ],
)
def test_a_target_that_cannot_be_is_refused_and_nothing_changes(
    tmp_path, monkeypatch, new, error, said
):
    runs = tmp_path / "runs"
    run = publish(runs)
    publish(runs, "other")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        move_run(run, place_for(run, new))
    run.check(hashes=True)
    assert listing(runs) == ["news", "other"]


def test_a_damaged_run_is_not_renamed_but_may_be_moved(tmp_path):
    run = publish(tmp_path)
    (run.model / "model.safetensors").write_bytes(b"rotten.")
    with pytest.raises(RunDirError, match="damaged"):
        move_run(run, tmp_path / "papers")
    assert listing(tmp_path) == ["news"]
    (tmp_path / "broken").mkdir()
    assert move_run(run, tmp_path / "broken" / "news").path.is_dir()


def test_a_failed_rename_leaves_the_run(tmp_path, monkeypatch):
    run = publish(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clx.ml.run_directory.copying.shutil.copy2", full)
    with pytest.raises(ClxError, match=re.escape(str(tmp_path))):
        move_run(run, tmp_path / "papers")
    run.check(hashes=True)
    assert listing(tmp_path) == ["news"]


# ---- Removing ------------------------------------------------------------------------------------


def test_a_run_is_removed_with_what_lies_beside_it(tmp_path):
    run, other = publish(tmp_path), publish(tmp_path, "other")
    begin(run)
    for path in (run.study, run.study.with_name(run.study.name + "-journal")):
        path.write_bytes(b"trials")
    shutil.copytree(run.path, run.rejected)
    shutil.copytree(run.path, run.previous)
    assert remove_run(run) == []
    assert listing(tmp_path) == ["other"]
    assert not holds_run(run)
    other.check(hashes=True)


def test_the_users_own_files_stay(tmp_path):
    run = publish(tmp_path)
    (run.path / "mine.txt").write_text("mine")
    write_note(run, "a note")
    assert remove_run(run) == [run.path / "mine.txt"]
    assert listing(run.path) == ["mine.txt"]


@pytest.mark.parametrize("lost", ["config.json", "manifest.json"])
def test_a_broken_run_can_be_removed(tmp_path, lost):
    run = publish(tmp_path)
    (run.path / lost).write_text("{")
    assert remove_run(find_any_run(str(run.path))) == []
    assert listing(tmp_path) == []


def test_a_link_to_a_run_is_removed_and_the_run_stays(tmp_path):
    run = publish(tmp_path / "disk")
    link = tmp_path / "link"
    link.symlink_to(run.path)
    assert remove_run(find_any_run(str(link))) == []
    assert not os.path.lexists(link)
    run.check(hashes=True)
    link.symlink_to(run.path)
    with pytest.raises(RunDirError, match="is a link to"):
        move_run(RunDir(link), tmp_path / "elsewhere")


def test_what_is_no_run_is_refused(tmp_path):
    publish(tmp_path / "runs")
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "file").write_text("")
    for name, said in {
        "runs": "but not a clx run; it contains the runs 'news'",
        "model": "but not a clx run$",
        "file": "is a file, not a clx run",
    }.items():
        with pytest.raises(RunDirError, match=said):
            find_any_run(str(tmp_path / name))
    with pytest.raises(ConfigError, match="address on the Hub"):
        find_any_run("hf://owner/name")


def test_a_removal_that_was_interrupted_can_be_repeated(tmp_path, monkeypatch):
    run = publish(tmp_path)

    def killed(path, *_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("clx.ml.run_directory.staging.shutil.rmtree", killed)
        with pytest.raises(RunDirError, match="cannot be removed: Input/output error"):
            remove_run(run)
    assert not run.is_complete()
    remove_run(find_any_run(str(run.path)))
    assert listing(tmp_path) == []


# ---- Runs in training, downloads, notes ----------------------------------------------------------


def test_a_run_in_training_is_left_alone(tmp_path):
    run = begin(publish(tmp_path))
    assert not is_being_written(run)
    with only_writer(run):
        assert is_being_written(run)
        assert unfinished_runs(tmp_path) == []
        for change in (
            lambda: remove_run(run),
            lambda: move_run(run, tmp_path / "papers"),
            lambda: write_note(run, "a note"),
        ):
            with pytest.raises(RunBusyError, match=r"is being trained by .* Wait until it ends\."):
                change()
    run.check(hashes=True)
    (found,) = unfinished_runs(tmp_path)
    assert found.replaces


def test_a_download_is_refused(tmp_path):
    run = publish(tmp_path)
    write_json(tmp_path / "downloaded.json", {"repository": "acme/news", "commit": "0" * 40})
    with pytest.raises(RunDirError, match="delete the folder"):
        remove_run(run)
    for change in (lambda: move_run(run, tmp_path / "papers"), lambda: write_note(run, "x")):
        with pytest.raises(RunDirError, match="is the download of"):
            change()


def test_a_note_is_written_read_and_removed(tmp_path):
    run = publish(tmp_path)
    assert read_note(run) == ""
    write_note(run, " the best\nso far: 好 ")
    assert read_note(run) == "the best\nso far: 好"
    run.check(hashes=True)
    with pytest.raises(ConfigError, match="not valid Unicode"):
        write_note(run, "half of a pair: \ud800")
    assert read_note(run) == "the best\nso far: 好"
    moved = move_run(run, tmp_path / "papers")
    assert read_note(moved).startswith("the best")
    write_note(moved, "")
    assert "note.txt" not in listing(moved.path)
    (moved.path / "note.txt").write_bytes(b"caf\xe9")
    assert read_note(moved) == "caf\ufffd"


def test_a_run_that_may_only_be_read_says_so(tmp_path, monkeypatch):
    run = publish(tmp_path)

    def refused(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("clx.ml.run_directory.lock.FileLock.acquire", refused)
    for change in (
        lambda: remove_run(run),
        lambda: move_run(run, tmp_path / "papers"),
        lambda: write_note(run, "x"),
    ):
        with pytest.raises(RunDirError, match="can only be read; copy the run to a folder"):
            change()
    run.check(hashes=True)
    assert json.loads((run.path / "config.json").read_text())["run_name"] == "news"


# ---- The names in clx.ml -------------------------------------------------------------------------


def test_runs_are_tidied_from_python_by_name_or_path(own_data_dir, tmp_path):
    folder = own_data_dir / "runs"
    folder.mkdir()
    publish(folder)
    assert ml.note_run("news") == ""
    assert ml.note_run("news", "a first try") == "a first try"
    assert ml.move_run("news", "old") == folder / "old"
    moved = ml.move_run(folder / "old", f"{tmp_path}{os.sep}")
    assert moved == tmp_path / "old"
    assert ml.note_run(moved) == "a first try"
    (moved / "mine.txt").write_text("kept")
    assert ml.remove_run(moved) == [moved / "mine.txt"]
    with pytest.raises(RunNotFoundError):
        ml.remove_run("news")
