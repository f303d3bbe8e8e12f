"""A user knew what mistakes cost only later: min_score edited in config.json made the run damaged."""

import json
import shutil
from pathlib import Path

import pytest

from cli_helpers import Cli
from clx.ml import training_run
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(GOLDEN / "v1-classification" / "run", tmp_path / "run")


def test_decisions_are_shown_set_and_verified(cli, folder, tmp_path):
    assert cli("decisions", folder).lines == [["min_score", "none"], ["target_accuracy", "none"]]
    assert cli("decisions", folder, "--set", "min_score=0.75").status == 0
    assert ["min_score", "none", "0.75"] in cli.lines
    assert cli("verify", folder).status == 0
    fruit_frame(16).to_csv(tmp_path / "eval.csv", index=False)
    found = cli(
        "decisions", folder, "--set", "target_accuracy=0.9", "--on", tmp_path / "eval.csv", "--json"
    )
    document = json.loads(found.out)
    assert document["new"]["target_accuracy"] == 0.9
    assert document["metrics"]["coverage"] == 1.0
    shown = json.loads(cli("decisions", folder, "--json").out)
    assert shown["decisions"] == document["new"]
    assert shown["history"][0]["new"]["min_score"] == 0.75
    assert (
        training_run(load=folder, verify=True).config["min_score"] == document["new"]["min_score"]
    )


def test_a_wrong_name_says_the_right_one(cli, folder):
    assert cli("decisions", folder, "--set", "min_scor=0.5").status == 2
    assert "min_score" in cli.err
    assert cli("decisions", folder, "--set", "target_accuracy=0.5").status == 2
    assert "--on DATA" in cli.err


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
def test_the_curve_is_in_the_results_and_in_the_report(folder, tmp_path):
    run = training_run(load=folder)
    evaluation = run.evaluate(fruit_frame(16))
    curve = evaluation.decision_curve
    assert list(curve.columns) == ["min_score", "coverage", "accuracy", "rows"]
    limit = curve["min_score"].iloc[len(curve) // 2]
    change = run.set_decisions(min_score=float(limit), on=fruit_frame(16))
    assert change.metrics["coverage"] == curve["coverage"].iloc[len(curve) // 2]
    evaluation.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "decision_curve.csv").is_file()
    for page in (tmp_path / "saved" / "report.html", run.run_dir / "report.html"):
        assert "Accuracy and coverage" in page.read_text()
