"""The curve to choose a limit of the score by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.report.parts import Part, figure
from clx.ml.report.plots import Line, line_plot
from clx.ml.report.tables import frame_table
from clx.ml.report.words import column_name

if TYPE_CHECKING:
    import pandas as pd

LINES = 4
"""The most labels in the chart: those whose best F1 is lowest."""

MOST_ROWS = 300


def decisions_part(curve: pd.DataFrame | None) -> Part | None:
    """Return accuracy against coverage, or precision against recall for each label."""
    if curve is None or not len(curve):
        return None
    if {"coverage", "accuracy", "min_score"} <= set(curve.columns):
        return _coverage(curve)
    if {"label", "threshold", "precision", "recall", "f1"} <= set(curve.columns):
        return _precision(curve)
    return None


def _coverage(curve: pd.DataFrame) -> Part:
    points = sorted(zip(curve["coverage"].tolist(), curve["accuracy"].tolist(), strict=True))
    drawing = line_plot(
        [Line("Accuracy", points)], name="plot-decisions", label="Accuracy against coverage",
        x_label="Coverage", shares=True,
    )  # fmt: skip
    how = (
        "A model that abstains below a score decides fewer rows, and is usually right more often. "
        "Coverage is the share of rows that it decides, and accuracy the share of those that are "
        "right. Each row of the table is a possible min_score."
    )
    return Part(
        "decisions", "Accuracy and coverage", how, figure(drawing, "") + _table(curve, "min_score")
    )


def _precision(curve: pd.DataFrame) -> Part:
    best = curve.groupby("label", sort=False)["f1"].max().sort_values(kind="stable")
    lines = [
        Line(
            str(label), sorted(zip(own["recall"].tolist(), own["precision"].tolist(), strict=True))
        )
        for label in best.index[:LINES]
        for own in [curve[curve["label"] == label]]
    ]
    drawing = line_plot(
        lines, name="plot-decisions", label="Precision against recall", x_label="Recall",
        shares=True,
    )  # fmt: skip
    how = (
        "A higher threshold gives a label to fewer rows: precision usually rises, and recall falls. "
        "Each row of the table is a possible threshold of a label."
    )
    if len(best) > LINES:
        how += f" The chart shows the {LINES} labels whose best F1 is lowest."
    return Part(
        "decisions", "Precision and recall", how, figure(drawing, "") + _table(curve, "label")
    )


def _table(curve: pd.DataFrame, index: str) -> str:
    """Return the points as a table; of very many, evenly spread ones."""
    shown = curve.iloc[:: -(-len(curve) // MOST_ROWS)].set_index(index)
    return frame_table(
        shown, name="decisions-table", caption="Possible limits of the score",
        index=column_name(index).replace("Given", "Label"), shown=10,
    )  # fmt: skip
