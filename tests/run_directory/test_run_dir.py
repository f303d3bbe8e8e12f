"""How one content of a run directory replaces another."""

import json
import os

import pytest

from clx.errors import RunDirError, RunNotFoundError
from clx.ml.run_directory import staging
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.finding import find_run
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.staging import staged


def publish(run, tag):
    with staged(run) as new:
        write_json(new.path / "config.json", {"schema_version": 1, "task": tag, "run_name": "r"})
        new.model.mkdir()
        (new.model / "weights.safetensors").write_text(tag)


def tags(run):
    return run.read_config()["task"], (run.model / "weights.safetensors").read_text()


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "run")
    publish(run, "one")
    return run


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(staging, "_exchange", lambda one, other: False)
    return request.param


def test_new_content_replaces_the_old_whole(run, way):
    publish(run, "two")
    assert tags(run) == ("two", "two")
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]
    run.check(hashes=True)


def test_exchange_is_used_on_this_system(run, monkeypatch):
    used = []
    original = staging._exchange
    monkeypatch.setattr(
        staging, "_exchange", lambda one, other: used.append(original(one, other)) or used[-1]
    )
    publish(run, "two")
    assert used == [os.uname().sysname == "Linux"]


@pytest.mark.parametrize("step", ["_seal", "_publish", "write_json"])
def test_failure_at_any_step_keeps_the_old(run, monkeypatch, step):
    def fail(*args):
        raise OSError(28, "No space left on device")

    def half():
        with staged(run) as new:
            (new.path / "config.json").write_text("half")
            fail()

    with monkeypatch.context() as patch:
        if step != "write_json":
            patch.setattr(staging, step, fail)
        with pytest.raises(OSError, match="No space"):
            half() if step == "write_json" else publish(run, "two")
    assert tags(run) == ("one", "one")
    publish(run, "three")
    assert tags(run) == ("three", "three")
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


def test_every_break_between_two_renames_leaves_one_whole_run(tmp_path, monkeypatch):
    """Break off before the n-th rename or removal, until nothing breaks any more."""
    monkeypatch.setattr(staging, "_exchange", lambda one, other: False)
    seen = []
    for n in range(12):
        run = RunDir(tmp_path / str(n) / "run")
        publish(run, "one")
        left = n

        def step(function):
            def counted(*args, **kwargs):
                nonlocal left
                if left == 0:
                    raise Killed
                left -= 1
                return function(*args, **kwargs)

            return counted

        with monkeypatch.context() as patch:
            patch.setattr(type(run.path), "rename", step(type(run.path).rename))
            removal = step(staging.remove)
            patch.setattr(staging, "remove", removal)
            try:
                publish(run, "two")
            except Killed:
                seen.append(n)
        found = find_run(run.path)
        assert tags(found) in (("one", "one"), ("two", "two"))
        found.check(hashes=True)
        publish(run, "three")
        assert tags(run) == ("three", "three")
        assert [path.name for path in run.path.parent.iterdir()] == ["run"]
    assert len(seen) >= 4
    assert seen != list(range(12))


def test_manifest_has_every_file_that_counts(run):
    files = json.loads((run.path / "manifest.json").read_text())["files"]
    assert sorted(files) == ["config.json", "model/weights.safetensors"]


def test_log_and_report_are_not_checked(run):
    (run.path / "logs").mkdir()
    (run.path / "report.html").write_text("x")
    run.check(hashes=True)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd"])
def test_manifest_cannot_point_outside(run, name):
    write_json(run.path / "manifest.json", {"files": {name: {"size": 1, "sha256": ""}}})
    with pytest.raises(RunDirError, match="not an entry"):
        run.check()


def test_nothing_there(tmp_path):
    with pytest.raises(RunNotFoundError):
        find_run(tmp_path / "none")
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    with pytest.raises(RunDirError, match="did not finish"):
        find_run(tmp_path / "begun")


def test_what_fails_its_check_stays_apart_until_the_run_is_replaced(run):
    def check(new):
        new.check(hashes=True)
        staging.set_aside(new, run)
        raise RunDirError("it does not open")

    for _ in range(2):
        with pytest.raises(RunDirError, match="does not open"), staged(run, check) as new:
            (new.path / "config.json").write_text("bad")
        assert tags(run) == ("one", "one")
        assert (run.rejected / "config.json").read_text() == "bad"
        assert not (run.rejected / "manifest.json").exists()
    publish(run, "two")
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]


def test_a_kill_during_the_check_leaves_nothing_that_is_opened(tmp_path, monkeypatch):
    """The new run is whole, with its manifest, but nobody knows yet that it opens."""
    run = RunDir(tmp_path / "first")

    def killed(new):
        monkeypatch.setattr(staging.shutil, "rmtree", lambda *args, **kwargs: None)
        raise Killed

    with pytest.raises(Killed), staged(run, killed) as new:
        (new.path / "config.json").write_text("{}")
    monkeypatch.undo()
    assert (run.unchecked / "manifest.json").is_file()
    with pytest.raises(RunNotFoundError):
        find_run(run.path)
    publish(run, "two")
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
