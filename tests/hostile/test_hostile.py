"""A stranger's run directory runs nothing, reaches nothing, writes nothing: it loads or says why not."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hostile.cases import CASES, make

PROBE = Path(__file__).with_name("probe.py")


@pytest.fixture(scope="module")
def findings(_trained_once, tmp_path_factory):
    parent = tmp_path_factory.mktemp("hostile")
    folders = [shutil.copytree(_trained_once, parent / "untouched" / "run")]
    for name, case in CASES.items():
        folder = shutil.copytree(_trained_once, parent / name / "run")
        os.environ["CANARY"] = str(parent / name / "canary")
        make(case, folder)
        folders.append(folder)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROBE), *map(str, folders)],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = map(json.loads, done.stdout.splitlines())
    return {each["case"]: each for each in found}


def test_there_are_enough_of_them():
    assert len(CASES) >= 60
    assert sum(case.expected is None for case in CASES.values()) >= 10


def test_an_untouched_directory_loads(findings):
    found = findings["untouched"]
    assert (found["verdict"], found["best"][0], found["best"][2]) == ("loaded", "animal", "fruit")
    assert found["events"] == []


@pytest.mark.parametrize("name", CASES)
def test_nothing_runs_nothing_is_reached_nothing_is_written(findings, name):
    assert findings[name].get("events") == []
    assert findings[name]["canary"] is False


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.expected])
def test_what_is_wrong_is_said(findings, name):
    found = findings[name]
    assert found["verdict"] == "RunDirError", found["message"]
    assert re.search(CASES[name].expected, found["message"])
    assert found["message"].isprintable() or "\n" in found["message"]
    assert len(found["message"]) < 3000


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.expected])
def test_what_is_harmless_loads_and_answers_as_before(findings, name):
    found = findings[name]
    assert (found["verdict"], found["message"]) == ("loaded", "")
    assert found["finite"]
    assert found["best"] == findings["untouched"]["best"]
