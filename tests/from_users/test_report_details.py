"""Somebody read a report: it had a curve of a duration, counts such as 48.00, and one metric twice."""

import re

import numpy as np
import pandas as pd
import pytest

from clx.ml import training_run
from clx.ml.report import DataSummary, ReportData, render_report


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("<main")[1]))


def test_durations_are_no_metrics():
    log = [
        {"step": step, "eval_accuracy": 0.5, "eval_model_preparation_time": 0.002}
        for step in (1, 2)
    ]
    page = render_report(ReportData("t", log=log))
    assert "Evaluation metrics" in page
    assert "preparation" not in page


@pytest.mark.parametrize("kind", ["per_label", "label_counts"])
def test_counts_beside_a_missing_one_are_whole(kind):
    if kind == "per_label":
        counts = pd.DataFrame({"f1": [1.0, 0.0], "support": [1.0, np.nan]}, index=["a", "b"])
        page = render_report(ReportData("t", per_label=counts))
        assert "1.000" in page
    else:
        counts = pd.DataFrame({"train": [48, 7], "eval": [48.0, np.nan]}, index=["a", "b"])
        page = render_report(ReportData("t", data=DataSummary(label_counts=counts)))
        assert page.count(">48</td>") == 2
        assert "1.000" not in page
    assert "48.0" not in page
    rows = re.findall(r"<td[^>]*>([^<]*)", page)
    assert "1" in rows or kind == "label_counts"


def test_micro_f1_that_is_the_accuracy_has_no_row():
    log = [{"step": step, "eval_accuracy": 0.5, "eval_f1_micro": 0.5} for step in (1, 2)]
    metrics = {"accuracy": 0.5, "f1_micro": 0.5, "f1_micro_low": 0.4, "f1_micro_high": 0.6}
    page = render_report(ReportData("t", metrics=metrics, log=log))
    assert "Micro F1" not in page
    assert "It is the micro F1 too." in page
    other = render_report(ReportData("t", metrics={"accuracy": 0.5, "f1_micro": 0.6}))
    assert "Micro F1" in other
    assert "the micro F1 too" not in other


def test_a_report_without_evaluation_data_says_so(tiny_model, fruit):
    options = {"base_model_name": tiny_model, "training_args": {"max_steps": 1}}
    run = training_run("classification", "blind", **options)
    run.train(fruit)
    page = (run.run_dir / "report.html").read_text()
    assert "There was no evaluation data" in text_of(page)
    seen = run.report(run.run_dir.parent / "seen.html", fruit).read_text()
    assert "There was no evaluation data" not in text_of(seen)
