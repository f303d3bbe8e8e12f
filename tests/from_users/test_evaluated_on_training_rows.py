"""A user evaluated a run on the rows that it was trained on, and believed the accuracy of 1."""

import json
import shutil
import warnings
from pathlib import Path

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.errors import DataWarning
from clx.ml import training_run
from clx.ml.data.text_sketch import LEARNED_TEXTS, TextSketch
from clx.ml.evaluation.learned import learned_rows, warn_of_learned
from clx.ml.run_directory.layout import RunDir
from conftest import fruit_frame

GOLDEN = Path(__file__).parents[1] / "golden"
LEARNED = r"run 'trained' was trained\s+on the text in {}"


def new_rows(rows=12):
    texts = [
        f"{['one', 'two', 'three'][n % 3]} {'cat' if n % 2 else 'apple'} {n}" for n in range(rows)
    ]
    return pd.DataFrame({"text": texts, "label": ["fruit", "animal"] * (rows // 2)})


@pytest.fixture
def run(trained):
    return training_run(load=trained)


def test_rows_of_the_training_are_named(run, tmp_path):
    with pytest.warns(DataWarning, match=LEARNED.format("12 of 12 rows")) as caught:
        evaluation = run.evaluate(fruit_frame(12))
    message = " ".join(str(caught[0].message).split())
    assert message.startswith("Findings in 12 rows of data: - data: the run")
    assert "'cat' (row 0), 'apple' (row 1)" in message
    assert message.count("(row ") == 3
    assert message.endswith("use rows that it was not trained on.")
    assert Path(caught[0].filename) == Path(__file__)
    assert evaluation.learned_rows == evaluation.to_dict()["learned_rows"] == 12
    assert "learned_rows=12" in repr(evaluation)
    shown = "trained on: 12 of 12"
    assert shown in evaluation._repr_html_()
    assert "12 of 12" in (evaluation.save(tmp_path / "e") / "report.html").read_text()
    assert "12 of 12" in run.report(tmp_path / "r.html", fruit_frame(12)).read_text()


def test_new_rows_are_not(run, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        evaluation = run.evaluate(new_rows())
        assert evaluation.learned_rows == 0
        assert "trained on" not in evaluation._repr_html_()
        # A few short texts occur everywhere.
        some = pd.concat([new_rows(20), fruit_frame(1)], ignore_index=True)
        assert run.evaluate(some).learned_rows == 1
        assert run.compare(run, new_rows()).learned_rows == (0, 0)


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
def test_both_runs_of_a_comparison(run, trained, tmp_path):
    other = training_run(load=shutil.copytree(GOLDEN / "v1-classification" / "run", tmp_path / "g"))
    with pytest.warns(DataWarning, match=LEARNED.format("12 of 12 rows")) as caught:
        comparison = run.compare(other, fruit_frame(12))
    (warned,) = [str(each.message) for each in caught if each.category is DataWarning]
    assert warned.count("was trained") == 1
    # Runs of earlier versions do not say what they learned.
    assert comparison.learned_rows == (12, None)
    assert comparison.to_dict()["learned_rows"] == [12, None]
    shown = "Rows that trained was trained on"
    assert shown in comparison._repr_html_()
    assert shown in (comparison.save(tmp_path / "c") / "report.html").read_text()


def test_decisions_on_rows_of_the_training(run):
    with pytest.warns(DataWarning, match=LEARNED.format("16 of 16 rows")):
        change = run.set_decisions(min_score=0.4, on=fruit_frame(16))
    assert change.evaluation.learned_rows == 16
    assert run.results["evaluation"]["learned_rows"] == 16


def test_the_evaluation_of_a_training_counts_them(run):
    # 12 of the 12 eval rows are training rows, which the check of the data says.
    assert run.results["evaluation"]["learned_rows"] == 12


def test_on_the_command_line(trained, tmp_path, capsys, monkeypatch):
    cli = Cli(capsys, monkeypatch)
    fruit_frame(12).to_csv(tmp_path / "seen.csv", index=False)
    assert cli.on_terminal("evaluate", trained, tmp_path / "seen.csv").status == 0
    assert "on 12 rows, 12 of which it was trained on," in cli.out
    assert "was trained on the text in 12 of 12" in " ".join(cli.err.split())
    assert cli("evaluate", trained, tmp_path / "seen.csv", "--json").status == 0
    assert json.loads(cli.out)["learned_rows"] == 12
    assert cli("compare", trained, trained, tmp_path / "seen.csv").status == 0
    assert ["own was trained on", "12"] in cli.lines
    new_rows().to_csv(tmp_path / "new.csv", index=False)
    assert cli.on_terminal("evaluate", trained, tmp_path / "new.csv").status == 0
    assert "was trained on" not in cli.out + cli.err


def test_after_a_training_on_many_texts_the_number_is_an_estimate(run):
    directory, many = RunDir(run.run_dir), [f"text number {n}" for n in range(8000)]
    results = {**directory.read_results(), LEARNED_TEXTS: TextSketch.of(many).to_json()}
    (directory.path / "results.json").write_text(json.dumps(results))
    frame = pd.DataFrame({"text": [*many[:1000], *(f"a new text {n}" for n in range(1000))]})
    found = learned_rows(run, directory, frame)
    assert found.count == pytest.approx(1000, abs=200)
    with pytest.warns(DataWarning, match=f"on the text in about\\s+{found.count} of 2000 rows"):
        warn_of_learned([found], 2000)
    # Too few to tell.
    assert learned_rows(run, directory, frame.head(20)).count is None
