"""Nothing is lost: every step of a publication killed or failed once, and some kills at random.

``make crash`` runs the 500 random trials of ``campaign.py``; here are a few of each kind.
"""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clx.errors import RunDirError
from clx.ml.machine.disk import full_disk_named
from clx.ml.run_directory import staging
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.finding import find_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.staging import recover, staged
from crash.faults import Injected, in_fork

CAMPAIGN = Path(__file__).with_name("campaign.py")
WAYS = ["exchange", "two renames"]


def publish(folder, tag, way="exchange"):
    """Write a run of several files as a training does."""
    if way == "two renames":
        staging._exchange = lambda one, other: False
    run = RunDir(Path(folder) / "run")
    with only_writer(run):
        recover(run)
        with staged(run, check=RunDir.check) as new:
            write_json(
                new.path / "config.json", {"schema_version": 1, "task": tag, "run_name": "r"}
            )
            new.model.mkdir()
            for name in ("a.safetensors", "b.json"):
                (new.model / name).write_text(tag)
            write_json(new.path / "results.json", {"tag": tag})


def tag_of(folder):
    """Return the tag of the whole run that is there, None when there is none."""
    try:
        run = find_run(Path(folder) / "run")
    except RunDirError:
        return None
    run.check(hashes=True)
    tags = {run.read_config()["task"], run.read_results()["tag"]}
    tags |= {(run.model / name).read_text() for name in ("a.safetensors", "b.json")}
    assert len(tags) == 1, f"a mix: {tags}"
    return tags.pop()


def killed(folder, tag, way, step, fail=None):
    if way == "two renames":
        staging._exchange = lambda one, other: False
    with Injected(folder, at=step, fail=fail):
        publish(folder, tag, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("before", [None, "old"])
def test_killed_before_each_step_of_a_publication(tmp_path, way, before):
    found, step = [], 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        if before:
            publish(folder, before)
        _, status = in_fork(killed, folder, "new", way, step)
        tag = tag_of(folder)
        assert tag in (before, "new"), f"step {step}"
        found.append(tag)
        # Whoever writes next finds no lock, finishes what can be finished and sweeps the rest.
        said, again = in_fork(publish, folder, "third", way)
        assert again == 0, said
        assert tag_of(folder) == "third"
        assert sorted(p.name for p in folder.iterdir()) == [".run.lock", "run"]
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
    assert step >= 25
    assert found.count(before) >= 10
    assert found.count("new") >= 2
    # Before the one, after the other: there is a single moment from which the new one is there.
    assert found == sorted(found, key=lambda tag: tag == "new")


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_that_is_full_at_each_step_of_a_publication(tmp_path, way):
    step = 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        publish(folder, "old")
        said, status = in_fork(full_at, str(folder), way, step)
        assert status == 0, said
        # When only the old content had to be removed still, the new one is there.
        assert tag_of(folder) in (("old", "new") if said.startswith("The disk") else ("new",))
        if said == "not reached":
            break
        assert said == "done" or said.startswith("The disk of"), said
        publish(folder, "third")
        assert sorted(p.name for p in folder.iterdir()) == [".run.lock", "run"]
    assert step >= 20


def full_at(folder, way, step):
    if way == "two renames":
        staging._exchange = lambda one, other: False
    injected = Injected(folder, at=step, fail=OSError(errno.ENOSPC, "No space left on device"))
    try:
        with injected, full_disk_named(Path(folder), 10**9):
            publish(folder, "new", way)
    except RunDirError as error:
        if "1.0 GB are needed" not in str(error) or "are free" not in str(error):
            raise
        return str(error)
    return "done" if injected.count >= step else "not reached"


def test_some_kills_at_random():
    done = subprocess.run(
        [sys.executable, str(CAMPAIGN), "--trials", "4", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 trials" in done.stdout
    assert "0 losses" in done.stdout


def test_the_trials_notice_a_loss(tmp_path):
    """A publication that writes in place, as save_pretrained does, is found out."""
    publish(tmp_path, "old")
    run = RunDir(tmp_path / "run")
    write_json(run.path / "config.json", {"schema_version": 1, "task": "new", "run_name": "r"})
    with pytest.raises((AssertionError, RunDirError)):
        tag_of(tmp_path)
    (run.path / "manifest.json").write_text(json.dumps({"files": {}}))
    with pytest.raises(AssertionError, match="a mix"):
        tag_of(tmp_path)
