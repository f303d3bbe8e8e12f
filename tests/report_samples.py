"""Reports of made-up runs: one with every part in it, one in which every text is hostile."""

import numpy as np
import pandas as pd

from clx.ml.metrics import confusion_table, per_label_table
from clx.ml.report import Comparison, DataSummary, Finding, ReportData, Section

HOSTILE = (
    """</script><script>window.pwned=1</script>"'><img src=x onerror="window.pwned=2"> & $x$ """
    "\x00\ud800"
)


def data_of(labels=77, rows=3000, length=60, **more):
    """A report of a made-up run, with every part in it."""
    random = np.random.default_rng(0)
    names = [f"label_{number}_of_something" for number in range(labels)]
    truth = random.integers(0, labels, rows)
    guess = np.where(random.random(rows) < 0.1, random.integers(0, labels, rows), truth)
    wrong = np.flatnonzero(truth != guess)
    mistakes = pd.DataFrame(
        {
            "text": [f"row {row} " + "word " * (length // 5) for row in wrong],
            "label": [names[truth[row]] for row in wrong],
            "predicted": [names[guess[row]] for row in wrong],
            "score": np.linspace(0.99, 0.3, len(wrong)),
        }
    )
    log = [
        {"step": step, "epoch": step / 100, "loss": 3 / (1 + step), "learning_rate": 2e-5}
        for step in range(0, 300, 5)
    ]
    log += [
        {"step": step, "epoch": step / 100, "eval_loss": 0.4, "eval_accuracy": 0.8 + step / 3000}
        for step in (100, 200, 300)
    ]
    given = {
        "title": "a run",
        "subtitle": "Sorts things.",
        "facts": {"Task": "classification"},
        "metrics": {
            "accuracy": 0.9, "accuracy_low": 0.88, "accuracy_high": 0.92, "f1_macro": 0.89,
            "ece": 0.0213, "log_loss": 0.31, "own": None, "odd": float("nan"), "big": 12345.678,
        },
        "evaluated_rows": rows,
        "log": log,
        "per_label": per_label_table(truth, guess, names),
        "confusion": confusion_table(truth, guess, names),
        "cooccurrence": confusion_table(truth, guess, names),
        "calibration": pd.DataFrame(
            {"confidence": [0.2, 0.5, 0.9], "accuracy": [0.1, np.nan, 0.9], "count": [5, 0, 100]}
        ),
        "mistakes": mistakes,
        "suspicious": mistakes.head(20),
        "data": DataSummary(
            {"train": 9000, "eval": rows},
            {"train": 3, "eval": 0},
            pd.DataFrame({"train": range(labels), "eval": 5}, index=names),
            [Finding("leakage", "texts are in both.", 12, range(50)), {"kind": "rare"}],
        ),
        "comparison": Comparison(
            ("this run", "that run"),
            pd.DataFrame(
                {"this": [0.9], "other": [0.8], "difference": [0.1], "low": [-0.02], "high": [0.2]},
                index=["accuracy"],
            ),
            mistakes.head(30),
            mistakes.tail(5),
            {"fixed": 30, "broken": 5, "p_value": 0.00001},
        ),
        "sections": [Section("Fairness", "All well.", pd.DataFrame({"group": ["a"], "f1": [0.5]}))],
        "environment": {"python": "3.11", "packages": {"torch": "2.6"}},
        "config": {"training_args": {"learning_rate": 2e-5}, "labels": ["a", "b"]},
    }  # fmt: skip
    return ReportData(**(given | more))


def hostile_data(text=HOSTILE):
    """A report in which every text is hostile, names of metrics and columns included."""
    cell = text.replace("\ud800", "\ufffd")  # a frame of pandas 3 has no place for a lone surrogate
    frame = pd.DataFrame([[cell, cell, [text, "b"], 0.5, cell]] * 12)
    frame.columns = ["text", "label", "predicted", "score", cell]
    square = pd.DataFrame([[5, 3], [2, 7]], index=[cell, "b"], columns=[cell, "b"])
    return ReportData(
        title=text, subtitle=text, facts={text: text},
        metrics={text: 0.5, f"{text}_low": 0.4, f"{text}_high": 0.6, "a": text},
        headline=[text],
        log=[{"step": step, f"eval_{text}": 0.5, "eval_b": 0.25, text: text} for step in (1, 2)],
        per_label=pd.DataFrame({"f1": [0.5, 1.0], cell: [cell, cell]}, index=[cell, "b"]),
        confusion=square, cooccurrence=square, mistakes=frame, suspicious=frame,
        data=DataSummary({text: 5}, {text: 1}, pd.DataFrame({cell: [4, 1]}, index=[cell, "b"]),
                         [{"kind": text, "message": text, "count": 1, "rows": [text, {text: text}]}]),
        comparison=Comparison((text, text), pd.DataFrame({"this": [0.5], cell: [cell]}, index=[cell]),
                              frame, frame, {"fixed": 1, "broken": 2, "p_value": 0.2}),
        sections=[Section(text, text, frame.set_index("label")), Section(text, text)],
        environment={text: {text: text}}, config={text: [text]},
    )  # fmt: skip
