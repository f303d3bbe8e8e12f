"""The part of a report to choose a limit of the score by."""

import numpy as np
import pandas as pd

from clx.ml.report import ReportData, render_report
from clx.ml.report.decisions import decisions_part
from clx.ml.thresholds import coverage_curve, precision_recall_curve


def test_accuracy_against_coverage():
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    page = render_report(ReportData("t", decision_curve=coverage_curve([0, 0, 1], scores)))
    assert "Accuracy and coverage" in page
    assert 'id="decisions-table"' in page
    assert "0.700" in page


def test_precision_against_recall_of_the_labels_that_need_it_most():
    rng = np.random.default_rng(0)
    labels = (rng.random((60, 6)) < 0.3).astype(int)
    scores = rng.random((60, 6))
    scores[:, 5] = labels[:, 5] * 0.9
    part = decisions_part(precision_recall_curve(labels, scores, list("abcdef")))
    assert part.title == "Precision and recall"
    assert "4 labels whose best F1 is lowest" in part.how
    chart = part.body.partition("<table")[0]
    assert "<li>" in chart
    assert ">f</li>" not in chart


def test_nothing_is_shown_for_other_tables():
    assert decisions_part(None) is None
    assert decisions_part(pd.DataFrame(columns=["label"])) is None
    assert decisions_part(pd.DataFrame({"cut": [1.0], "cost": [2.0]})) is None
