"""Metrics, comparison with another run, learning curves, metrics per label, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.report.data import Comparison, ReportData
from clx.ml.report.markup import escape, inline, is_number, number, percent, plain
from clx.ml.report.parts import Part, figure, subheading
from clx.ml.report.plots import Line, line_plot, reliability
from clx.ml.report.spans import with_marked_spans
from clx.ml.report.tables import Column, frame_table, table
from clx.ml.report.words import METRICS, SPREAD, headline, metric_name, without_intervals

if TYPE_CHECKING:
    import pandas as pd

MANY = 2000
"""The most labels in a table."""

_NOT_CURVES = ("_low", "_high", "_runtime", "_per_second", "_flos", "_loss", "_ece")


def metrics_part(data: ReportData) -> Part | None:
    """Return all metrics in a table with their meaning, and a few of them large."""
    names = without_intervals(data.metrics)
    if not names:
        return None
    large = "".join(_large(data.metrics, key) for key in headline(data.metrics, data.headline))
    has_spread = any(f"{key}{SPREAD}" in data.metrics for key in names)
    spread_head = '<th scope="col" class=n>Standard deviation</th>' if has_spread else ""
    rows = [
        f'<tr data-key="{escape(key)}"><th scope="row">{escape(metric_name(key))}</th>'
        f"<td class=n>{inline(data.metrics[key])}</td>{_spread(data.metrics, key, has_spread)}"
        f"<td class=i>{_interval(data.metrics, key)}{_whisker(data.metrics, key)}</td>"
        f'<td class="m">{escape(METRICS[key][1]) if key in METRICS else ""}</td></tr>'
        for key in names
    ]
    body = (
        f'<dl class="headline">{large}</dl>'
        '<div class="scroll" tabindex="0" role="region" aria-label="All metrics">'
        '<table class="metrics"><caption>All metrics</caption><thead><tr>'
        f'<th scope="col">Metric</th><th scope="col" class=n>Value</th>{spread_head}'
        '<th scope="col">95% interval</th><th scope="col">Meaning</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
    how = (
        "Other evaluation rows would give slightly different values. The 95% interval is the range "
        "that most likely contains the true value."
        if any(_ends(data.metrics, key) for key in names)
        else "Each metric summarizes all evaluated rows. The table explains what each one means."
    )
    if has_spread:
        how += " The standard deviation is over the folds of the cross-validation."
    return Part("metrics", "Metrics", how, body)


def lead(data: ReportData) -> str:
    """Return the first sentence of the page: the main result for readers who know no metrics."""
    sentences = {
        "accuracy": "The model predicts the right label for {share} of {rows}",
        "subset_accuracy": "The model predicts exactly the right labels for {share} of {rows}",
    }
    for key, sentence in sentences.items():
        value = plain(data.metrics.get(key))
        if not is_number(value) or not 0 <= value <= 1:
            continue
        rows = f"the {data.evaluated_rows:,} rows" if data.evaluated_rows else "the rows"
        text = sentence.format(
            share=f"<strong>{percent(value)}%</strong>", rows=f"{rows} it was evaluated on"
        )
        ends = _ends(data.metrics, key)
        if ends and all(0 <= end <= 1 for end in ends):
            low, high = map(percent, ends)
            text += f" (95% interval: {low}% to {high}%)"
        return f'<p class="lead">{text}.</p>'
    return ""


def _large(metrics: Mapping[str, Any], key: str) -> str:
    return (
        f"<div><dt>{escape(metric_name(key))}</dt>"
        f'<dd><span class="value">{inline(metrics[key])}</span>'
        f'<span class="interval">{_interval(metrics, key)}</span></dd></div>'
    )


def _spread(metrics: Mapping[str, Any], key: str, shown: bool) -> str:
    """Return the cell with a metric's standard deviation, or an empty string without that column."""
    value = metrics.get(f"{key}{SPREAD}")
    return f"<td class=n>{'' if value is None else inline(value)}</td>" if shown else ""


def _ends(metrics: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    low, high = plain(metrics.get(f"{key}_low")), plain(metrics.get(f"{key}_high"))
    return (low, high) if is_number(low) and is_number(high) else None


def _interval(metrics: Mapping[str, Any], key: str) -> str:
    ends = _ends(metrics, key)
    return f"{escape(number(ends[0]))} to {escape(number(ends[1]))}" if ends else ""


def _whisker(metrics: Mapping[str, Any], key: str) -> str:
    """Return the interval of a share as a small drawing: a range on a line from 0 to 1."""
    ends, value = _ends(metrics, key), plain(metrics[key])
    if ends is None or not is_number(value) or not 0 <= ends[0] <= value <= ends[1] <= 1:
        return ""
    low, middle, high = (f"{2 + 96 * place:.1f}" for place in (ends[0], value, ends[1]))
    return (
        '<svg class="whisker" viewBox="0 0 100 8" aria-hidden="true"><path class="rail" '
        f'd="M2 4H98"/><path class="range" d="M{low} 4H{high}"/>'
        f'<path class="middle" d="M{middle} 1V7"/></svg>'
    )


def comparison_part(comparison: Comparison | None) -> Part | None:
    """Return the metrics of two runs, McNemar's test, and the fixed and broken rows."""
    if comparison is None:
        return None
    this, other = comparison.names
    body = _mcnemar(comparison.mcnemar, this, other)
    if comparison.metrics is not None and len(comparison.metrics):
        body += _compared_metrics(comparison.metrics, this, other)
    for name, title, frame in (
        ("fixed", f"Fixed: only {this} is right", comparison.fixed),
        ("broken", f"Broken: only {other} is right", comparison.broken),
    ):
        if frame is not None and len(frame):
            body += subheading(title) + frame_table(
                with_marked_spans(frame), name=f"{name}-rows", caption=title
            )
    how = (
        "Both runs predicted the same rows. If the interval of a difference does not contain 0, the "
        "difference is unlikely to be chance."
    )
    return Part("comparison", f"Comparison with {other}", how, body) if body else None


def _compared_metrics(frame: pd.DataFrame, this: str, other: str) -> str:
    titles = {
        "this": this,
        "other": other,
        "difference": "Difference",
        "low": "Low",
        "high": "High",
    }
    names = [str(name) for name in frame.columns]
    columns = [Column("Metric"), *(Column(titles.get(name, name), numeric=True) for name in names)]
    rows = [[metric_name(str(row[0])), *row[1:]] for row in frame.itertuples(index=True, name=None)]
    return table(columns, rows, name="compared", caption="Metrics of both runs", shown=40)


def _mcnemar(test: Mapping[str, Any], this: str, other: str) -> str:
    fixed, broken, p_value = (plain(test.get(key)) for key in ("fixed", "broken", "p_value"))
    text = ""
    if is_number(fixed) and is_number(broken):
        text = (
            f"<bdi>{escape(this)}</bdi> is right for <strong>{escape(number(fixed))}</strong> rows "
            f"for which <bdi>{escape(other)}</bdi> is wrong, and wrong for "
            f"<strong>{escape(number(broken))}</strong> rows for which it is right."
        )
    if is_number(p_value):
        odds = "< 0.001" if p_value < 0.001 else f"= {number(p_value)}"
        verdict = "is unlikely to be chance" if p_value < 0.05 else "may be chance"
        text += f" McNemar&#x27;s test: p {escape(odds)}; the difference {verdict}."
    return f"<p>{text}</p>" if text else ""


def learning_part(data: ReportData) -> Part | None:
    """Return the curves of losses, of metrics on the evaluation data, and of the learning rate."""
    keys = dict.fromkeys(str(key) for line in data.log for key in line)
    axis = "epoch" if all(_is_value(line.get("epoch")) for line in data.log) else "step"
    losses = _lines(data, axis, {"loss": "training loss", "eval_loss": "evaluation loss"})
    evals = [key.removeprefix("eval_") for key in keys if key.startswith("eval_")]
    wanted = [key for key in evals if not f"_{key}".endswith(_NOT_CURVES) and key != "epoch"]
    first = headline(data.metrics, data.headline)
    wanted.sort(key=lambda key: first.index(key) if key in first else len(first))
    scores = _lines(data, axis, {f"eval_{key}": metric_name(key) for key in wanted})
    scores = [line for line in scores if all(0 <= y <= 1 for _, y in line.points)][:4]
    rates = _lines(data, axis, {"learning_rate": "learning rate"})
    label = "epochs" if axis == "epoch" else "training steps"
    drawings = [
        figure(
            line_plot(lines, name=f"plot-{name}", label=f"{title} over {label}", x_label=label,
                      shares=name == "scores"),
            escape(title),
        )
        for name, title, lines in (
            ("loss", "Loss (lower is better)", losses),
            ("scores", "Evaluation metrics (higher is better)", scores),
            ("rate", "Learning rate", rates),
        )
        if lines
    ]  # fmt: skip
    if not drawings:
        return None
    how = (
        "If the evaluation loss rises while the training loss still falls, the model overfits: it "
        "memorizes the training rows."
    )
    return Part("learning", "Learning curves", how, f'<div class="plots">{"".join(drawings)}</div>')


def _lines(data: ReportData, axis: str, names: Mapping[str, str]) -> list[Line]:
    """Return a line for each key with values in the log; the last value of a step counts."""
    lines = []
    for key, name in names.items():
        points = {
            float(line[axis]): float(line[key])
            for line in data.log
            if _is_value(line.get(key)) and _is_value(line.get(axis))
        }
        if points:
            lines.append(Line(name, sorted(points.items())))
    return lines


def _is_value(value: Any) -> bool:
    value = plain(value)
    return is_number(value) and abs(value) != float("inf")


def labels_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the table of labels, lowest F1 first."""
    if frame is None or not len(frame):
        return None
    names = [str(name) for name in frame.columns]
    sorted_by = None
    if "f1" in names:
        values = [plain(value) for value in frame.iloc[:, names.index("f1")].tolist()]
        keys = [(not is_number(value), value if is_number(value) else 0.0) for value in values]
        frame = frame.iloc[sorted(range(len(keys)), key=lambda at: keys[at])]
        sorted_by = ("f1", "ascending")
    how = (
        "Precision is the share of the label's predictions that are right. Recall is the share of the "
        "label's rows that are found. F1 is low if either of them is low."
    )
    if "wrong_boundary" in names:
        how += (
            " Of the spans that are not found, some are predicted with another boundary or label, "
            "and the others are missed. Spurious ones overlap no given span."
        )
    if "threshold" in names:
        how += " A label is predicted if its score reaches its threshold."
    body = frame_table(
        frame, name="labels-table", caption="Metrics per label", index="Label", bars=("f1",),
        shown=20, limit=MANY, sorted_by=sorted_by,
    )  # fmt: skip
    return Part("labels", "Metrics per label", how, body)


def calibration_part(data: ReportData) -> Part | None:
    """Return the reliability diagram."""
    if data.calibration is None:
        return None
    names = ["confidence", "accuracy", "count"]
    values = (list(map(plain, row)) for row in data.calibration[names].to_numpy().tolist())
    bins = [(row[0], row[1], row[2]) for row in values if all(map(_is_value, row)) and row[2] > 0]
    if not bins:
        return None
    how = (
        "On the dashed line, scores can be taken literally: 80% of the predictions with a score of "
        "0.8 are right. Below the line the model is overconfident, above it underconfident."
    )
    ece = plain(data.metrics.get("ece"))
    if is_number(ece):
        how += f" The mean gap, the expected calibration error (ECE), is {escape(number(ece))}."
    drawing = reliability(
        bins, name="plot-calibration", label="Share of right predictions by score"
    )
    return Part("calibration", "Calibration", how, figure(drawing, ""))
