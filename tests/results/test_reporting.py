"""Where reports come from: a training, a saved run, an evaluation, a comparison."""

import json
import re

import pandas as pd
import pytest

from clx.errors import NotTrainedError, RunDirError
from clx.ml import training_run
from clx.ml.results.mistakes import confident_mistakes, suspicious_labels
from conftest import fruit_frame

SCRIPT = "<script>alert(1)</script>"


def parts(path):
    return re.findall(r'<section id="([a-z0-9-]+)"', path.read_text(encoding="utf-8"))


def test_a_training_with_eval_data_writes_its_report(trained):
    found = parts(trained / "report.html")
    assert found == [
        "metrics", "mistakes", "labels", "confusion", "calibration", "decisions", "learning", "data",
        "settings",
    ]  # fmt: skip
    assert "report.html" not in json.loads((trained / "manifest.json").read_text())["files"]


def test_a_training_without_eval_data_has_no_figures_to_show(tiny_model):
    run = training_run(
        "classification",
        "plain",
        base_model_name=tiny_model,
        training_args={"max_steps": 2, "disable_tqdm": True},
    )
    run.train(fruit_frame(8))
    assert parts(run.run_dir / "report.html") == ["learning", "data", "settings"]


def test_a_report_is_written_again_from_the_run_alone(trained, tmp_path):
    run = training_run(load=trained)
    first = (trained / "report.html").read_text()
    title = "<title>trained</title>"
    assert title in first
    assert run.report(tmp_path / "new") == tmp_path / "new" / "report.html"
    assert (tmp_path / "new" / "report.html").read_text() == first
    assert run.report(tmp_path / "deep" / "page.html") == tmp_path / "deep" / "page.html"
    assert run.report() == trained / "report.html"


def test_a_report_on_other_data_has_its_mistakes_with_texts_as_texts(trained, tmp_path):
    data = fruit_frame(8)
    data["label"] = data["label"].map({"fruit": "animal", "animal": "fruit"})
    data["text"] = data["text"] + f" {SCRIPT}"
    page = training_run(load=trained).report(tmp_path, data).read_text()
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "The most confident mistakes" in page


def test_an_evaluation_saves_its_report(trained, tmp_path):
    result = training_run(load=trained).evaluate(fruit_frame(12))
    folder = result.save(tmp_path / "saved")
    assert {"metrics", "labels", "confusion"} <= set(parts(folder / "report.html"))
    assert "<h1" in (folder / "report.html").read_text()
    assert result.about["run"] == "trained"


def test_a_comparison_saves_its_report(trained, tmp_path):
    run = training_run(load=trained)
    folder = run.compare(run, fruit_frame(12)).save(tmp_path / "both")
    assert parts(folder / "report.html") == ["comparison"]
    assert {path.name for path in folder.iterdir()} == {
        "comparison.json", "fixed.csv", "broken.csv", "report.html",
    }  # fmt: skip


def test_a_target_that_cannot_be_written_is_named(trained, tmp_path):
    (tmp_path / "file").write_text("mine")
    run = training_run(load=trained)
    with pytest.raises(RunDirError, match="file/deeper cannot be written: Not a directory"):
        run.report(tmp_path / "file" / "deeper")
    with pytest.raises(RunDirError, match="file/deeper cannot be written: Not a directory"):
        run.evaluate(fruit_frame(4)).save(tmp_path / "file" / "deeper")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_without_a_model_has_no_report():
    with pytest.raises(NotTrainedError):
        training_run("classification", "none").report()


def rows(*values):
    columns = ["text", "given", "predicted", "score", "given_score", "correct"]
    return pd.DataFrame(values, columns=columns, index=[f"r{n}" for n in range(len(values))])


def test_mistakes_are_the_wrong_rows_surest_first():
    examples = rows(
        ("a", "x", "y", 0.6, 0.4, False),
        ("b", "x", "x", 0.99, 0.99, True),
        ("c" * 5000, "y", "x", 0.9, 0.1, False),
    )
    found = confident_mistakes(examples)
    assert list(found.index) == ["r2", "r0"]
    assert list(found.columns) == ["text", "label", "predicted", "score", "given_score"]
    assert len(found["text"].iloc[0]) == 2000
    assert len(confident_mistakes(examples, rows=1)) == 1


def test_a_label_looks_wrong_when_another_is_as_sure_as_where_it_is_given():
    examples = rows(
        ("a", "x", "x", 0.8, 0.8, True),
        ("b", "x", "x", 0.6, 0.6, True),
        ("c", "y", "x", 0.75, 0.25, False),  # at least 0.7, the mean of x where x is given
        ("d", "y", "x", 0.65, 0.35, False),
        ("e", "y", "z", 0.99, 0.01, False),  # z is never given: nothing is known of it
    )
    assert list(suspicious_labels(examples).index) == ["r2"]
    several = examples.assign(given=[["x"]] * 5)
    assert len(suspicious_labels(several)) == 0
