"""Somebody exported a run from last month, and clx runs said that it was trained today."""

import json
import os

import pytest

from cli_helpers import Cli
from clx.ml.run_directory.layout import RunDir
from clx.ml.run_directory.staging import added_folder

OLD = "2026-01-02 03:04:05 +0000"


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def dated(cli, run):
    cli("show", run, "--json")
    shown = json.loads(cli.out)["trained_at"]
    cli("runs", "--runs-dir", run.parent, "--json")
    (listed,) = json.loads(cli.out)
    assert listed["trained_at"] == shown
    return shown


def test_the_date_of_training_stays_when_the_run_changes(cli, trained):
    run = RunDir(trained)
    results = run.read_results()
    assert results["finished"]
    with added_folder(run, "extra"):
        (trained / "results.json").write_text(json.dumps(results | {"finished": OLD}))
    before = dated(cli, trained)
    assert before.startswith("2026-01-0")
    # What an export does.
    with added_folder(run, "onnx") as folder:
        (folder / "model.onnx").write_bytes(b"m")
    assert dated(cli, trained) == before


def test_a_run_whose_results_have_no_date(cli, trained):
    (trained / "results.json").unlink()
    os.utime(trained / "environment.json", (10**9, 10**9))
    assert dated(cli, trained).startswith("2001-09-0")
