"""Tables of logged figures for the pages of docs/: ``make tables`` writes them.

A page has the lines ``<!-- figures: NAME; by `make tables` -->`` and ``<!-- end of the figures -->``
where a table belongs. Between them are a sentence, which says when, where, and with what the figures
were measured, and the table. ``layouts.toml`` declares the tables.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import Figures, Row

LAYOUTS = Path(__file__).with_name("layouts.toml")
MARKED = re.compile(
    r"(<!-- figures: (.*?); by `make tables` -->\n).*?(<!-- end of the figures -->)", re.DOTALL
)
NONE = "-"
WIDTH = 115


@dataclass(frozen=True)
class Column:
    """A column of a table: heading, key of the figure in a row, form, and logged table.

    Without a logged table, the figure is that of the row itself.
    """

    heading: str
    key: str
    form: str = ""
    source: str | None = None


@dataclass(frozen=True)
class Layout:
    """A table of a page, as ``layouts.toml`` declares it."""

    page: str
    name: str
    sources: list[str]
    columns: list[Column]
    names: dict[str, str] = field(default_factory=dict)


def layouts(path: Path = LAYOUTS) -> dict[str, dict[str, Layout]]:
    """Return the layouts of each page by name."""
    made: dict[str, dict[str, Layout]] = {}
    known: dict[str, dict[str, Any]] = {}
    for given in tomllib.loads(path.read_text(encoding="utf-8"))["tables"]:
        known[given["name"]] = given
        other = known[given["like"]] if "like" in given else given
        columns = [Column(*column) for column in other["columns"]]
        layout = Layout(
            given["page"], given["name"], given["sources"], columns, other.get("names", {})
        )
        made.setdefault(layout.page, {})[layout.name] = layout
    return made


def page(text: str, of_page: Mapping[str, Layout], log: Mapping[str, Figures]) -> str:
    """Return a page with the newest figures in its marked places.

    Args:
        text: of the page.
        of_page: the layouts of the page by name.
        log: the newest figures by table.

    Raises:
        ValueError: the page names a table that has no layout or no figures, or lacks one that has.
    """
    made = {
        name: table(layout, log)
        for name, layout in of_page.items()
        if any(source in log for source in layout.sources)
    }
    marked = [match[2] for match in MARKED.finditer(text)]
    for name in marked:
        if name not in made:
            raise ValueError(f"The table {name!r} of the page has no layout or no logged figures")
    for name in made:
        if name not in marked:
            raise ValueError(f"The page lacks <!-- figures: {name}; by `make tables` -->")
    return MARKED.sub(lambda match: f"{match[1]}\n{made[match[2]]}\n{match[3]}", text)


def table(layout: Layout, log: Mapping[str, Figures]) -> str:
    """Return the sentence and the table as Markdown."""
    found = {source: log[source] for source in layout.sources if source in log}
    heads = [column.heading for column in layout.columns]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in _rows(layout, found):
        cells = [_cell(layout, column, row, found) for column in layout.columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([caption(list(found.values())), "", *lines, ""])


def caption(found: list[Figures]) -> str:
    """Return when, where, and with what some figures were measured."""
    commands: dict[tuple[str, str | None], list[str]] = {}
    for made in found:
        known = commands.setdefault((made.date, made.machine), [])
        if made.command is not None and f"`{made.command}`" not in known:
            known.append(f"`{made.command}`")
    parts = [
        f"on {date}"
        + (f" on {machine}" if machine else "")
        + (f", with {' and '.join(known)}" if known else "")
        for (date, machine), known in commands.items()
    ]
    return textwrap.fill(
        f"Measured {', and '.join(parts)}:",
        WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _rows(layout: Layout, found: Mapping[str, Figures]) -> list[Row]:
    rows: dict[str, list[Row]] = {}
    for made in found.values():
        own: dict[str, list[Row]] = {}
        for row in made.rows:
            own.setdefault(row["name"], []).append(row)
        for name, some in own.items():
            rows.setdefault(name, some)
    names = layout.names or rows
    return [row for name in names for row in rows.get(name, [])]


def _cell(layout: Layout, column: Column, row: Row, found: Mapping[str, Figures]) -> str:
    if column.source is not None:
        made = found.get(column.source)
        row = next((r for r in made.rows if r["name"] == row["name"]), {}) if made else {}
    value = row.get(column.key)
    if value is None:
        return NONE
    if column.key == "name":
        return layout.names.get(value, value)
    return written(value, column.form)


def written(value: Any, form: str) -> str:
    """Return a figure in the form of its column."""
    if form in FORMS:
        return FORMS[form](value)
    digits, _, unit = form.partition(" ")
    if unit == "digits":
        return significant(value, int(digits))
    return format(value, form)


def significant(value: float, digits: int) -> str:
    """Return a figure with as many significant digits, and all digits before the point."""
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".rstrip(".")


def difference(value: float) -> str:
    """Return a difference of scores, which may be very small."""
    return f"{value:.0e}".replace("e-0", "e-") if 0 < value < 0.001 else significant(value, 2)


FORMS: dict[str, Callable[[float], str]] = {
    "percent": lambda share: significant(100 * share, 3),
    "whole percent": lambda share: f"{100 * share:.0f} %",
    "difference": difference,
}
"""Forms by name: percent is without the unit, which the heading has."""
