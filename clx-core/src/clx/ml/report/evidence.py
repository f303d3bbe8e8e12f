"""Rows and settings: mistakes, possibly wrong labels, data, plugin sections, configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.report.data import DataSummary, Finding, ReportData, Section
from clx.ml.report.markup import cut, escape, is_number, number, percent, plain
from clx.ml.report.parts import Part, scroller, subheading
from clx.ml.report.plots import label_bars
from clx.ml.report.quality import MANY
from clx.ml.report.spans import with_marked_spans
from clx.ml.report.tables import Column, frame_table, pairs, slug, table

if TYPE_CHECKING:
    import pandas as pd

FINDING_ROWS = 30
"""The most rows that a finding lists."""


def mistakes_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the wrong predictions with the highest scores."""
    if frame is None:
        return None
    how = (
        "Rows whose prediction differs from the given label, most confident prediction first. Rows "
        "at the top often have a wrong given label."
    )
    if not len(frame):
        return Part("mistakes", "Mistakes", "", "<p>The model made no mistakes.</p>")
    body = frame_table(
        with_marked_spans(frame), name="mistakes-table", caption="The most confident mistakes",
        sorted_by=("score", "descending"),
    )  # fmt: skip
    return Part("mistakes", "Mistakes", how, body)


def suspicious_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the rows whose given label may be wrong."""
    if frame is None or not len(frame):
        return None
    how = (
        "In these rows the data may be wrong instead of the model. Read each text and decide whether "
        "to correct the given label."
    )
    body = frame_table(frame, name="suspicious-table", caption="Possibly mislabeled rows")
    return Part("suspicious", "Possibly mislabeled rows", how, body)


def data_part(data: DataSummary | None) -> Part | None:
    """Return the data that the run was trained and evaluated on."""
    if data is None:
        return None
    split = f'<p class="how">{escape(data.split)}</p>' if data.split else ""
    body = _row_counts(data) + split + _findings(data.findings) + _distribution(data.label_counts)
    how = "The data that the model was trained and evaluated on."
    return Part("data", "Data", how, body) if body else None


def _row_counts(data: DataSummary) -> str:
    if not data.rows:
        return ""
    titles = {"train": "Training", "eval": "Evaluation", "test": "Test"}
    columns = [Column("Data"), Column("Rows", numeric=True)]
    if data.truncated:
        columns += [
            Column("Truncated texts", numeric=True),
            Column("Share truncated", numeric=True),
        ]
    rows = []
    for name, count in data.rows.items():
        row: list[Any] = [titles.get(name, name), count]
        if data.truncated:
            cut_texts = plain(data.truncated.get(name))
            known = cut_texts is not None and count
            row += [cut_texts, f"{percent(cut_texts / count)}%" if known else None]
        rows.append(row)
    note = (
        '<p class="how">The model reads only the beginning of a truncated text, up to its limit.</p>'
        if any(map(plain, data.truncated.values()))
        else ""
    )
    return table(columns, rows, name="data-rows", caption="Rows per data set") + note


def _findings(findings: Sequence[Finding | Mapping[str, Any]]) -> str:
    items = []
    for given in findings:
        finding = given if isinstance(given, Finding) else Finding(**_fields(given))
        count = plain(finding.count)
        rows = list(finding.rows)
        where = "".join(
            f"<li>{escape(cut(_row_name(row), 300))}</li>" for row in rows[:FINDING_ROWS]
        )
        if len(rows) > FINDING_ROWS:
            where += f"<li>and {len(rows) - FINDING_ROWS:,} more</li>"
        items.append(
            f"<li><p><b>{escape(finding.kind)}</b> "
            f"{'' if count is None else f'<span class=count>{escape(number(count))}</span> '}"
            f"{escape(finding.message)}</p>"
            + (f"<details><summary>Show rows</summary><ul>{where}</ul></details>" if where else "")
            + "</li>"
        )
    if not items:
        return ""
    return subheading("Findings of the data check") + (
        f'<ul class="findings">{"".join(items)}</ul>'
    )


def _fields(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": str(given.get("kind") or "finding"),
        "message": str(given.get("message") or ""),
        "count": given.get("count"),
        "rows": given.get("rows") or (),
    }


def _row_name(row: Any) -> str:
    row = plain(row)
    if isinstance(row, Mapping):
        return ", ".join(f"{key}: {value}" for key, value in row.items())
    if isinstance(row, list | tuple):
        return ", ".join(map(str, row))
    return str(row)


def _distribution(frame: pd.DataFrame | None) -> str:
    if frame is None or not len(frame) or not len(frame.columns):
        return ""
    first = frame.columns[0]
    values = [plain(value) for value in frame.iloc[:, 0].tolist()]
    names = [str(name) for name in frame.index]
    counts = {
        name: int(value)
        for name, value in zip(names, values, strict=True)
        if is_number(value) and 0 <= value < math.inf
    }
    if not counts:
        return ""
    title = f"Rows per label ({'training' if first == 'train' else first} data)"
    drawing = label_bars(counts, name="plot-distribution", label=title)
    body = subheading(title) + scroller(drawing, title)
    if len(counts) > 1:
        rarest = sorted(counts.items(), key=lambda item: item[1])[:3]
        text = ", ".join(f"<bdi>{escape(cut(k, 80))}</bdi> ({number(v)})" for k, v in rarest)
        body += f'<p class="how">Rarest labels: {text}.</p>'
    order = sorted(range(len(names)), key=lambda at: -counts.get(names[at], -1))
    return body + frame_table(
        frame.iloc[order], name="label-counts", caption="Rows per label", index="Label",
        shown=8, limit=MANY, sorted_by=(str(first), "descending"),
    )  # fmt: skip


def plugin_parts(sections: Sequence[Section]) -> list[Part]:
    """Return the sections that plugins add."""
    parts = []
    for place, section in enumerate(sections, 1):
        name = f"extra-{place}-{slug(section.title)}".strip("-")
        body = "".join(
            f'<p class="pre">{escape(text)}</p>'
            for text in section.text.split("\n\n")
            if text.strip()
        )
        if section.table is not None and len(section.table):
            named = section.table.index.name is not None
            body += frame_table(
                section.table, name=f"{name}-table", caption=section.title,
                index=str(section.table.index.name) if named else None,
            )  # fmt: skip
        parts.append(Part(name, section.title, "", body))
    return parts


def settings_part(data: ReportData) -> Part | None:
    """Return the environment and the configuration; dots join the names of nested values."""
    body = ""
    for title, values in (("Environment", data.environment), ("Configuration", data.config)):
        if values:
            content = pairs(_flat(values), title)
            body += f"<details class=fold><summary>{title}</summary>{content}</details>"
    how = "What you need to train this model again."
    return Part("settings", "Environment and configuration", how, body) if body else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
