"""Results and runs in notebooks: HTML that is escaped, rounded and never fails."""

import dataclasses
import inspect
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from clx.ml import TrainingRun, training_run
from clx.ml.prediction.onnx_check import BackendCheck
from clx.ml.prediction.onnx_export import ExportReport
from clx.ml.results.cards import Card, card_html
from clx.ml.results.comparison import Comparison
from clx.ml.results.continued import ContinuedTraining
from clx.ml.results.data_check import DataCheck, Finding
from clx.ml.results.decisions import DecisionChange
from clx.ml.results.estimates import BackendEstimate, Estimate, Shards, Tokens
from clx.ml.results.outcome import EvaluationResult, TrainingResult
from clx.ml.results.pushed import PushResult
from clx.ml.results.row_split import RowSplit
from clx.ml.results.training_estimates import Stage, TrainingEstimate

HOSTILE = '<script>alert("x")</script> & \x00 \ud800'


class Structure(HTMLParser):
    """Checks that tags are closed, and collects them with the text between them."""

    VOID = {"br", "wbr", "hr"}

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.text, self.links = [], set(), "", []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data + " "


METRICS = {"accuracy": 0.912345, "accuracy_low": 0.8512, "accuracy_high": 0.9523, HOSTILE: 0.5}
PER_LABEL = pd.DataFrame(
    {"precision": [0.5], "f1": [0.123456]}, index=pd.Index([HOSTILE], dtype=object)
)
FINDING = Finding("leaked_texts", "eval_data", f"{HOSTILE}: remove them", 3)
TABLE = pd.DataFrame(
    [{"own": 0.5, "other": 0.75, "difference": 0.25, "low": 0.1, "high": 0.4}], index=["accuracy"]
)
ROWS = pd.DataFrame({"text": ["a", "b"]})

TOKENS = Tokens(sampled=10, mean=5.0, p95=9, limit=64, over_limit=0.1, repeated=0.2)

SAMPLES = {
    "evaluation": EvaluationResult(
        METRICS, {"per_label": PER_LABEL}, rows=9, about={"run": HOSTILE}
    ),
    "training": TrainingResult(Path(f"/{HOSTILE[:20]}"), METRICS, rows={"train": 9}, kept="probe"),
    "continued": ContinuedTraining(
        Path("/new"),
        METRICS,
        continued_from=HOSTILE,
        new_labels=["tool"],
        comparison=Comparison(("old", "new"), TABLE, ROWS, ROWS, 0.5, 12),
    ),
    "comparison": Comparison((HOSTILE, "b"), TABLE, ROWS, ROWS.head(0), 0.04321, 12),
    "comparison without rows": Comparison(("a", "b"), TABLE, ROWS, ROWS, None, 12),
    "check": DataCheck((FINDING,), {"train_data": 9}),
    "nothing found": DataCheck((), {"train_data": 9}),
    "finding": FINDING,
    "split": RowSplit(0.2, 42, group_column=HOSTILE),
    "export": ExportReport(
        Path("/x"), {"onnx": BackendCheck(1e-7, 1.0, 90.1)}, {"a": 0.99, "b": 1}
    ),
    "decisions": DecisionChange(
        {"thresholds": {HOSTILE: 0.5}, "threshold_target": None},
        {"thresholds": {HOSTILE: 0.3125}, "threshold_target": None},
        {"f1_micro": 0.75},
        EvaluationResult({"f1_micro": 0.8125, "f1_micro_low": 0.7, "f1_micro_high": 0.9}),
    ),
    "shared": PushResult("http://hub/a/b", "a/b", "c" * 40, ("x",), (f"config.json: {HOSTILE}",)),
    "backend": BackendCheck(1e-7, 1.0, 90.1),
    "estimate": Estimate(
        HOSTILE,
        rows=10,
        counted="counted",
        rows_error=0.0,
        tokens=TOKENS,
        backends=(
            BackendEstimate("torch", 1.0, 2.0, 3.0, 6.7, 10**9, 10**9, (1.0, 2.0)),
            BackendEstimate("onnx", problem=HOSTILE),
        ),
        output=1000,
        shards=Shards(2, 1, 10, 1),
    ),
    "estimate of a training": TrainingEstimate(
        {"train": 9}, TOKENS, 3, 1.0, 16, 0, (Stage("probe", 1, 2, HOSTILE),), 1, 2, None, 10
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_card_is_whole_escaped_html_without_scripts(name):
    html = SAMPLES[name]._repr_html_()
    page = Structure(html)
    assert not page.tags & {"script", "img", "link", "iframe", "pre"}
    assert "<script" not in html
    assert "\x00" not in html
    html.encode()
    assert len(page.text.strip()) > 10


def test_figures_are_rounded_and_intervals_are_one_column():
    text = Structure(SAMPLES["evaluation"]._repr_html_()).text
    assert "0.912 " in text
    assert "0.851 to 0.952" in text
    assert "accuracy_low" not in text
    assert "0.123" in text
    assert "0.123456" not in text


def test_a_change_of_decisions_shows_what_was_and_what_is():
    text = Structure(SAMPLES["decisions"]._repr_html_()).text
    assert "thresholds: " in text
    for figure in ("0.500", "0.312", "none", "0.750", "0.812", "0.700 to 0.900"):
        assert figure in text


def test_a_continued_training_shows_old_and_new():
    text = Structure(SAMPLES["continued"]._repr_html_()).text
    assert "New labels: tool" in text
    assert "0.100 to 0.400" in text


def test_a_shared_run_lists_what_was_left_out():
    text = Structure(SAMPLES["shared"]._repr_html_()).text
    assert "http://hub/a/b" in text
    assert "config.json: <script>" in text


def test_a_comparison_says_what_is_not_chance():
    text = Structure(SAMPLES["comparison"]._repr_html_()).text
    assert "The interval of the difference excludes 0 for: Accuracy." in text
    assert "2 rows that only b predicts correctly" in text
    assert "0.100 to 0.400" in text


def test_a_run_shows_its_decisions_and_its_report(trained, monkeypatch):
    run = training_run(load=trained)
    page = Structure(run._repr_html_())
    assert page.links == [(trained / "report.html").as_uri()]
    for part in (
        "trained",
        "classification run",
        "2: animal, fruit",
        "Kept",
        "Pooling",
        "Accuracy",
    ):
        assert part in page.text
    monkeypatch.chdir(trained.parent)
    assert Structure(run._repr_html_()).links == ["trained/report.html"]
    (trained / "report.html").unlink()
    assert Structure(run._repr_html_()).links == []


def test_a_run_that_is_not_trained():
    run = training_run("classification", "new", label_names=["a", "<b>"])
    text = Structure(run._repr_html_()).text
    assert "not trained" in text
    assert "2: a, <b>" in text


def test_a_card_loads_neither_a_model_nor_torch(trained):
    import subprocess

    code = f"""
from clx.ml import training_run
html = training_run(load={str(trained)!r})._repr_html_()
import sys
assert "clx-card" in html, html
assert not {{"torch", "transformers", "pandas"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_damaged_run_is_shown_as_text(trained):
    run = training_run(load=trained)
    (trained / "results.json").write_text("[")
    assert run._repr_html_().startswith("<pre>&lt;ClassificationRun")


def test_whatever_fails_there_is_html():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    assert card_html(Broken(), lambda: 1 / 0).startswith("<pre>&lt;")
    assert "clx-card" in card_html(None, lambda: Card("a", "b"))


def test_many_labels_show_those_with_the_lowest_f1():
    many = pd.DataFrame({"f1": [number / 100 for number in range(90, 30, -1)]})
    text = Structure(EvaluationResult({}, {"per_label": many})._repr_html_()).text
    assert "Labels: the 20 of 60 rows with the lowest F1" in text
    assert "0.310" in text
    assert "0.900" not in text


def test_every_result_of_a_verb_has_a_card():
    found = set()
    for name, verb in inspect.getmembers(TrainingRun, inspect.isfunction):
        returned = str(inspect.signature(verb).return_annotation)
        kinds = [
            vars(module)[returned]
            for key, module in list(sys.modules.items())
            if key.startswith("clx.ml.") and returned in vars(module)
        ]
        for kind in kinds:
            # The report has a class of its own for what it shows of a comparison.
            of_report = kind.__module__.startswith("clx.ml.report")
            if not name.startswith("_") and dataclasses.is_dataclass(kind) and not of_report:
                found.add(returned)
                assert hasattr(kind, "_repr_html_"), kind
    assert {"TrainingResult", "EvaluationResult", "Comparison", "DataCheck"} <= found
