"""A run is readable by whom the umask says, and one that may only be read does all but train."""

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.staging import staged


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def publish(folder, link=None):
    run = RunDir(folder / "run")
    with staged(run) as new:
        write_json(new.path / "config.json", {"schema_version": 1, "task": "t"})
        new.model.mkdir()
        weights = new.model / "model.safetensors"
        weights.write_text("w")
        # As safetensors leaves it.
        weights.chmod(0o600)
        script = new.path / "serve.sh"
        script.write_text("#!/bin/sh")
        script.chmod(0o750)
        if link is not None:
            (new.path / "link").symlink_to(link)
    return run.path


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_modes_are_those_of_the_umask(tmp_path, umask, mask, file, folder):
    umask(mask)
    run = publish(tmp_path)
    ours = [path for path in run.rglob("*") if path.name != "serve.sh"]
    assert len(ours) == 4
    for path in ours:
        wanted = folder if path.is_dir() else file
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_what_the_user_keeps_there_has_its_own_modes_and_a_link_is_not_followed(tmp_path, umask):
    outside = tmp_path / "secret"
    outside.write_text("s")
    outside.chmod(0o600)
    run = publish(tmp_path, link=outside)
    assert stat.S_IMODE((run / "serve.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600


def test_trained_weights_can_be_read_by_others(trained):
    mode = stat.S_IMODE((trained / "model" / "model.safetensors").stat().st_mode)
    assert mode == stat.S_IMODE((trained / "config.json").stat().st_mode)


USE = """
import json, sys
import pandas as pd
from clx.errors import RunDirError
from clx.ml import training_run

folder, elsewhere = sys.argv[1:]
data = pd.DataFrame({"text": ["the cat", "an apple"], "label": ["animal", "fruit"]})
run = training_run(load=folder, verify=True)
found = run.evaluate(data)
found.save(f"{elsewhere}/evaluation")
data.to_csv(f"{elsewhere}/in.csv")
run.predict_file(f"{elsewhere}/in.csv", f"{elsewhere}/out.csv")
said = "it was trained"
try:
    open(f"{folder}/config.json", "a").close()
    said = "it is not read-only"
except PermissionError:
    try:
        run.train(data, overwrite=True)
    except RunDirError as error:
        said = str(error)
print(json.dumps([found.metrics["accuracy"], said]))
"""


@pytest.mark.skipif(os.getuid() == 0 and not shutil.which("setpriv"), reason="root may do all")
def test_a_run_that_may_only_be_read(trained, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = trained
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    locked = [tmp_path, folder, *folder.rglob("*")]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in locked}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    # Root may write everywhere, unless it gives that up.
    as_others = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []
    try:
        done = subprocess.run(
            [*as_others, sys.executable, "-W", "ignore", "-c", USE, str(folder), str(elsewhere)],
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert done.returncode == 0, done.stderr
    accuracy, said = json.loads(done.stdout)
    assert accuracy == 1.0
    assert "cannot be written (Permission denied)" in said
    assert (elsewhere / "evaluation" / "evaluation.json").exists()
    assert (elsewhere / "out.csv").exists()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
