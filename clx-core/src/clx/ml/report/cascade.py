"""The curve of a cascade: its speed against the share of equal decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clx.ml.report.parts import Part, figure
from clx.ml.report.plots import Line, line_plot
from clx.ml.report.tables import frame_table

if TYPE_CHECKING:
    import pandas as pd

_HOW = (
    "The student answers the texts whose margin is large enough, and the teacher the others. A smaller "
    "margin leaves fewer texts to the teacher: the cascade is faster, and fewer of its decisions are "
    "equal to those of torch. The figures are of texts that chose no margin, and the bound of each row "
    "holds with 95 % confidence for this row alone."
)
_LINES = {"agreement": "Equal decisions", "accuracy": "Accuracy"}


def cascade_part(curve: pd.DataFrame | None) -> Part | None:
    """Return speed against agreement, and accuracy if it is known, with the chosen point."""
    if curve is None or not len(curve):
        return None
    speeds = curve["texts_per_second"].tolist()
    lines = [
        Line(title, sorted(zip(speeds, curve[name].tolist(), strict=True)))
        for name, title in _LINES.items()
        if name in curve.columns and curve[name].notna().all()
    ]
    chosen = curve[curve["chosen"].astype(bool)] if "chosen" in curve.columns else curve[:0]
    if len(chosen):
        row = chosen.iloc[0]
        lines.append(Line("Chosen", [(row["texts_per_second"], row["agreement"])]))
    drawing = line_plot(
        lines, name="plot-cascade", label="Equal decisions against texts per second",
        x_label="Texts per second", shares=True,
    )  # fmt: skip
    shown = curve.copy()
    if "chosen" in shown.columns:
        shown["chosen"] = ["yes" if each else "" for each in shown["chosen"]]
    table = frame_table(
        shown.set_index("share"), name="cascade-table", caption="Possible margins",
        index="Answered by the student", shown=10,
    )  # fmt: skip
    return Part("cascade", "Cascade: speed and equal decisions", _HOW, figure(drawing, "") + table)
