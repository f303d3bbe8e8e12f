"""Two processes and one run: the second writer is refused by name, a reader sees the old or the new."""

import json
import os
import re
import signal
import socket
import time

import pytest

from clx.errors import RunBusyError, RunDirError
from clx.ml import training_run
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.finding import find_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.lock import only_writer
from clx.ml.run_directory.staging import recover, staged
from crash.faults import in_fork

ROUNDS = 25


def start(function, *args):
    """Run a function in a forked process; return its pid and where its answer comes from."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            try:
                said = function(*args)
            except Exception as error:
                said = [type(error).__name__, str(error)]
            os.write(write, json.dumps(said).encode())
        finally:
            os._exit(0)
    os.close(write)
    return child, read


def answer(child, read):
    with open(read, encoding="utf-8") as file:
        said = file.read()
    os.waitpid(child, 0)
    return json.loads(said)


def publish(folder, tag, wait_for=None, refused=None):
    """Publish a run; with the pipe ``refused``, hold the lock until another process was refused."""
    if wait_for is not None:
        os.read(wait_for, 1)
    run = RunDir(folder / "run")
    try:
        with only_writer(run):
            recover(run)
            with staged(run) as new:
                write_json(new.path / "config.json", {"schema_version": 1, "task": tag})
                new.model.mkdir()
                (new.model / "weights").write_text(tag * 1000)
                if refused is not None:
                    os.read(refused[0], 1)
    except RunBusyError as error:
        os.write(refused[1], b"r")
        return ["refused", str(error), os.getpid()]
    return ["done", tag, os.getpid()]


def look(folder, stop):
    """Read the run until ``stop`` is there; return the tags seen."""
    seen = []
    while not stop.exists():
        run = find_run(folder / "run")
        before = run.identity()
        tag, weights = run.read_config()["task"], (run.model / "weights").read_text()
        # As a loaded run does: what was read in between belongs together only when it is the same.
        if RunDir(folder / "run").identity() == before:
            assert weights == tag * 1000
            seen.append(tag)
    return seen


def test_two_writers_and_a_reader(tmp_path):
    publish(tmp_path, "t0")
    stop = tmp_path / "stop"
    reader = start(look, tmp_path, stop)
    done, refused = [], []
    for number in range(ROUNDS):
        go, ready = os.pipe()
        told = os.pipe()
        writers = [start(publish, tmp_path, f"t{number}{name}", go, told) for name in "ab"]
        os.write(ready, b"gg")
        answers = [answer(*writer) for writer in writers]
        for end in (go, ready, *told):
            os.close(end)
        finished = [tag for what, tag, _ in answers if what == "done"]
        pids = {str(pid) for _, _, pid in answers}
        done += finished
        assert finished, answers
        assert find_run(tmp_path / "run").read_config()["task"] in finished
        for what, said, pid in answers:
            if what == "refused":
                refused.append(said)
                named = re.search(
                    r"by process (\d+) on (\S+), since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", said
                )
                other = pids - {str(pid)}
                assert named is None or ({named[1]}, named[2]) == (other, socket.gethostname())
    stop.touch()
    seen = answer(*reader)
    assert seen[:1] != ["AssertionError"]
    assert set(seen) <= {"t0", *done}
    assert len(done) == len(refused) == ROUNDS
    # A holder that has only just got the lock may not have written yet who it is.
    assert any("by process" in said for said in refused)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock", "run", "stop"]


def hold(folder, ready):
    with only_writer(RunDir(folder / "run")):
        os.write(ready, b"r")
        time.sleep(120)


def test_a_second_training_is_refused_at_once_and_a_killed_one_does_not_block(
    tmp_path, tiny_model, fruit
):
    is_held, ready = os.pipe()
    child, _ = start(hold, tmp_path, ready)
    os.read(is_held, 1)
    run = training_run(
        "classification",
        "run",
        run_dir_parent=tmp_path,
        base_model_name=tiny_model,
        training_args={"max_steps": 1, "disable_tqdm": True},
    )
    with pytest.raises(RunBusyError, match=rf"process {child} on {socket.gethostname()}, since 20"):
        run.train(fruit)
    assert not run.run_dir.exists()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    run.train(fruit)
    assert training_run(load=run.run_dir, verify=True).is_trained
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.lock", "run"]


def test_the_lock_holds_for_threads_of_one_process_too(tmp_path):
    run = RunDir(tmp_path / "run")
    busy = pytest.raises(RunBusyError, match=f"process {os.getpid()} ")
    with only_writer(run), busy, only_writer(run):
        pass
    with only_writer(run):
        pass


def nobody(function, *args):
    """Run as a user that owns nothing, whatever this process is."""
    os.setgid(65534)
    os.setuid(65534)
    return function(*args)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_folder_that_may_not_be_written_is_said(tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if (
            parent.stat().st_uid == 0
            and parent != parent.parent
            and parent.name.startswith("pytest")
        ):
            parent.chmod(0o755)
    said, _ = in_fork(nobody, refused, str(tmp_path))
    assert "cannot be written (Permission denied)" in said


def refused(folder):
    from pathlib import Path

    try:
        publish(Path(folder), "x")
    except RunDirError as error:
        return str(error)
    return "written"
