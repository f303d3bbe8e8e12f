"""Writes metrics, and tables with one row per label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.cli.output import Output

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.results.outcome import EvaluationResult

HEADLINES = ("accuracy", "subset_accuracy", "f1_macro", "f1_micro", "f1", "loss")
MAX_ROWS = 40
"""How many rows of a table a terminal shows; a pipe gets all of them."""


NOT_PRINTED = ("confusion", "co_occurrence", "calibration", "decision_curve")
"""Tables with one column per label, or for plots: only ``--json`` and ``--save`` write them."""


def write_evaluation(out: Output, result: EvaluationResult, title: str) -> None:
    """Write the metrics of an evaluation and the tables that fit a terminal."""
    write_metrics(out, result.metrics, title)
    for name, frame in result.tables.items():
        if name not in NOT_PRINTED:
            write_frame(out, name, frame)


def headline(metrics: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the metric that a list shows for a run, or None if the run has no metrics."""
    numbers = {
        name: float(value) for name, value in metrics.items() if isinstance(value, int | float)
    }
    for name in (*HEADLINES, *numbers):
        if name in numbers:
            return name, numbers[name]
    return None


def write_metrics(
    out: Output, metrics: Mapping[str, Any], title: str | None = None, heading: bool = True
) -> None:
    """Write the name and value of each metric; on a terminal, its spread and interval in columns.

    Args:
        out: the output of the command.
        metrics: the metrics.
        title: the title of the table on a terminal.
        heading: False leaves the heading out in a pipe, where more names and values follow.
    """
    if not out.is_terminal:
        out.table(("metric", "value"), metrics.items(), title, heading)
        return
    # Imported here: the commands that print no metrics need not load the report.
    from clx.ml.report.words import without_intervals

    names = without_intervals(metrics)
    columns = {
        "metric": names,
        "value": [metrics[name] for name in names],
        "std": [metrics.get(f"{name}_std") for name in names],
        "95 % interval": [_interval(metrics, name) for name in names],
    }
    if all(spread is None for spread in columns["std"]):
        del columns["std"]
    out.table(list(columns), list(zip(*columns.values(), strict=True)), title)


def _interval(metrics: Mapping[str, Any], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return "" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def write_frame(out: Output, name: str, frame: pd.DataFrame) -> None:
    """Write an empty line and a table of an evaluation.

    A terminal shows only the rows of a long table that have the lowest F1, where the errors are.
    """
    columns = [str(frame.index.name or ""), *map(str, frame.columns)]
    rows = len(frame)
    title = name
    if out.is_terminal and rows > MAX_ROWS:
        lowest = "f1" in frame.columns
        frame = frame.sort_values("f1", kind="stable") if lowest else frame
        frame = frame.head(MAX_ROWS)
        which = "with the lowest f1" if lowest else "at the top"
        title = f"{name}: the {MAX_ROWS} of {rows} rows {which}; --json and --save write all rows"
    values = frame.astype(object).itertuples(name=None)
    out.blank()
    out.table(columns, values, title)
