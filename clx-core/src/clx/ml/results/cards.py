"""Cards: results as HTML for notebooks, without scripts, on light and dark pages alike.

A card inherits the colors and the font of the page that shows it. A notebook that is not trusted
drops its style; what is left is a heading, lists and tables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clx.ml.report.markup import cut, escape, inline, is_number, number, plain
from clx.ml.report.words import SPREAD, column_name, metric_name, without_intervals

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 20
"""The most rows of a table in a card."""

MAX_CHARACTERS = 600
"""The most characters of a value: a card is read at a glance, and the report has the rest."""

_STYLE = """<style>
.clx-card{max-width:60em;line-height:1.4;color:inherit}
.clx-card h4{margin:.2em 0 .4em;font-size:1.1em}
.clx-card h4 small{font-weight:normal;opacity:.75;margin-left:.5em}
.clx-card p{margin:.4em 0}
.clx-card ul{margin:.3em 0;padding-left:1.4em}
.clx-card table{border-collapse:collapse;margin:.4em 0;background:none;color:inherit}
.clx-card caption{text-align:left;opacity:.75;padding:.2em 0;color:inherit}
.clx-card tr{background:none}
.clx-card th,.clx-card td{text-align:left;vertical-align:top;padding:.15em .9em .15em 0;border:0;
border-bottom:1px solid rgba(128,128,128,.35);background:none;color:inherit;white-space:normal}
.clx-card th{font-weight:600}
.clx-card .clx-number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.clx-card a{color:inherit;text-decoration:underline}
</style>"""


@dataclass(frozen=True)
class Card:
    """What a card shows, from top to bottom. Values of any type are formatted and escaped.

    Attributes:
        title: the heading, such as the run's name.
        kind: what is shown, such as ``"Training"``.
        facts: name → value; None leaves a fact out.
        tables: tables as HTML, as :func:`metrics_table` and :func:`frame_table` return them.
        notes: sentences.
        report: the report to link to; a path that does not exist is left out.
    """

    title: Any
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    tables: Sequence[str] = ()
    notes: Sequence[str] = ()
    report: Path | None = None


def card_html(thing: object, make: Callable[[], Card]) -> str:
    """Return the card of a result as HTML. Whatever fails, this returns its ``repr`` instead.

    Args:
        thing: the result.
        make: returns its card.
    """
    try:
        return _html(make())
    except Exception:
        return f"<pre>{escape(_repr_of(thing))}</pre>"


def plain_card(thing: Any, title: str, report: Path | None = None) -> str:
    """Return a card of a dataclass whose facts are its fields with short values."""

    def make() -> Card:
        assert is_dataclass(thing)
        values = {each.name: getattr(thing, each.name) for each in fields(thing) if each.repr}
        facts = {name.replace("_", " "): value for name, value in values.items() if _short(value)}
        return Card(title, type(thing).__name__, facts, report=report)

    return card_html(thing, make)


def metrics_table(metrics: Mapping[str, Any], caption: str = "") -> str:
    """Return metrics as a table: name, value, spread over folds if there is one, 95 % interval."""
    names = without_intervals(metrics)
    has_spread = any(f"{name}{SPREAD}" in metrics for name in names)
    has_interval = any(_interval(metrics, name) for name in names)
    columns = ["Metric", "Value"]
    columns += ["Deviation"] * has_spread + ["95 % interval"] * has_interval
    rows = []
    for name in names:
        row = [metric_name(name), metrics[name]]
        row += [metrics.get(f"{name}{SPREAD}", "")] * has_spread
        rows.append([*row, *[_interval(metrics, name)] * has_interval])
    return _table(columns, rows, caption) if rows else ""


def interval(low: Any, high: Any) -> str:
    """Return an interval as the text of one cell, empty if there is none."""
    low, high = plain(low), plain(high)
    return f"{number(low)} to {number(high)}" if is_number(low) and is_number(high) else ""


def frame_table(frame: pd.DataFrame, caption: str = "", first: str = "") -> str:
    """Return a frame as a table with its index in the first column.

    Args:
        frame: the frame. If it has more than :data:`MAX_ROWS` rows, those with the lowest ``f1`` are
            shown, or the first without this column.
        caption: the heading of the table.
        first: the heading of the index.
    """
    shown, rows = frame, len(frame)
    if rows > MAX_ROWS:
        by_f1 = "f1" in frame.columns
        shown = (frame.sort_values("f1", kind="stable") if by_f1 else frame).head(MAX_ROWS)
        which = "with the lowest F1" if by_f1 else "at the top"
        caption = f"{caption}: the {MAX_ROWS} of {rows:,} rows {which}".removeprefix(": ")
    cells = shown.astype(object).itertuples(name=None)
    columns = [first, *map(column_name, shown.columns)]
    return _table(columns, [list(row) for row in cells], caption)


def rows_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = "") -> str:
    """Return rows of values as a table, empty without rows."""
    return _table(columns, rows, caption) if rows else ""


def _interval(metrics: Mapping[str, Any], name: str) -> str:
    return interval(metrics.get(f"{name}_low"), metrics.get(f"{name}_high"))


def _html(card: Card) -> str:
    facts = [
        f"<li>{escape(name)}: {_cell(value)}</li>"
        for name, value in card.facts.items()
        if plain(value) is not None
    ]
    parts = [
        f"<h4>{_cell(card.title)} <small>{escape(card.kind)}</small></h4>",
        f"<ul>{''.join(facts)}</ul>" if facts else "",
        *card.tables,
        *(f"<p>{_cell(note)}</p>" for note in card.notes),
        "" if card.report is None or not card.report.is_file() else _link(card.report),
    ]
    return f'{_STYLE}<div class="clx-card">{"".join(parts)}</div>'


def _link(report: Path) -> str:
    """Return a link to a file: relative below the current folder, where Jupyter can follow it."""
    path = report.absolute()
    here = Path.cwd()
    inside = path.is_relative_to(here)
    target = quote(path.relative_to(here).as_posix()) if inside else path.as_uri()
    return (
        f'<p><a href="{escape(target)}" target="_blank" rel="noopener">Report</a> '
        f"<small>{escape(path)}</small></p>"
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> str:
    heading = f"<caption>{escape(caption)}</caption>" if caption else ""
    numeric = [
        all(value == "" or is_number(plain(value)) for value in column)
        for column in zip(*rows, strict=True)
    ] or [False] * len(columns)
    head = "".join(_tagged("th", escape(n), k) for n, k in zip(columns, numeric, strict=True))
    body = "".join(
        f"<tr>{''.join(_tagged('td', _cell(v), k) for v, k in zip(row, numeric, strict=True))}</tr>"
        for row in rows
    )
    return f"<table>{heading}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _tagged(tag: str, content: str, is_numeric: bool) -> str:
    return (
        f'<{tag} class="clx-number">{content}</{tag}>'
        if is_numeric
        else f"<{tag}>{content}</{tag}>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return escape(cut(value, MAX_CHARACTERS))
    if isinstance(value, Mapping):
        text = ", ".join(f"{cut(key, 40)} {_words(item)}" for key, item in value.items())
        return escape(cut(text, MAX_CHARACTERS))
    return inline(value)


def _words(value: Any) -> str:
    return number(value) if is_number(plain(value)) else cut(value, 40)


def _short(value: Any) -> bool:
    return isinstance(plain(value), str | int | float | os.PathLike)


def _repr_of(thing: object) -> str:
    try:
        return repr(thing)
    except Exception:
        return object.__repr__(thing)
