"""Tables; ``page.js`` sorts them by a column and filters them by text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.report.markup import cut, escape, inline, is_number, long_text, plain
from clx.ml.report.words import COUNTS, column_name

if TYPE_CHECKING:
    import pandas as pd

ROW_LIMIT = 300
"""The most rows of a table in the page, except for tables of labels."""

_TEXTS = frozenset({"text"})


@dataclass(frozen=True)
class Column:
    """One column: its heading and the look of its cells.

    Attributes:
        title: the heading.
        numeric: cells are right-aligned and sorted by value.
        bar: cells with a number from 0 to 1 also show a small bar.
        text: cells are long texts, with all but the beginning folded away.
    """

    title: str
    numeric: bool = False
    bar: bool = False
    text: bool = False


def table(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    *,
    name: str,
    caption: str,
    shown: int = 15,
    sorted_by: tuple[int, str] | None = None,
) -> str:
    """Return a table as HTML.

    Args:
        columns: the headings.
        rows: the cells; the first cell is the row's heading, unless it is a long text.
        name: the table's id and the prefix of other ids, unique in the page.
        caption: what the table contains; only screen readers use it.
        shown: how many rows are visible until a reader asks for all.
        sorted_by: the column that the rows are sorted by, and ``ascending`` or ``descending``.
    """
    shown = shown if len(rows) > shown + 5 else len(rows)
    phone = _on_phones(columns)
    attribute = f' class="{phone}"' if phone else ""
    named = phone.endswith("stacked")
    body = [_row(columns, row, bool(phone), named) for row in rows]
    by, direction = sorted_by or (-1, "none")
    head = "".join(
        f'<th scope="col"{" class=n" if column.numeric else ""}'
        f' aria-sort="{direction if number == by else "none"}"{_role("columnheader", bool(phone))}>'
        f'<button type="button">{escape(column.title)}</button></th>'
        for number, column in enumerate(columns)
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'{_tools(name, len(body), shown)}<table id="{name}" data-shown="{shown}"'
        f"{attribute}{_role('table', bool(phone))}>"
        f"<caption>{escape(caption)}</caption>"
        f"<thead{_role('rowgroup', bool(phone))}><tr{_role('row', bool(phone))}>{head}</tr></thead>"
        f"<tbody{_role('rowgroup', bool(phone))}>{''.join(body)}</tbody></table></div>"
    )


def _on_phones(columns: Sequence[Column]) -> str:
    """Return the CSS classes that lay out the rows on a narrow screen."""
    numeric = sum(column.numeric for column in columns)
    if any(column.text for column in columns):
        return "block stacked"
    if numeric == len(columns) - 1 and 3 <= numeric <= 6:
        return f"block cells named g{numeric}"
    return "block cells g2" if len(columns) == 4 else ""


def _tools(name: str, rows: int, shown: int) -> str:
    if rows <= 8:
        return ""
    return (
        f'<div class="tools"><label>Filter <input type="search" data-for="{name}" '
        f'autocomplete="off" spellcheck="false"></label>'
        f'<span class="status" id="{name}-status" role="status"></span>'
        f'<button type="button" data-all="{name}" aria-controls="{name}"></button></div>'
    )


def _role(role: str, wanted: bool) -> str:
    # A table that CSS lays out as blocks loses its roles.
    return f' role="{role}"' if wanted else ""


def _row(columns: Sequence[Column], row: Sequence[Any], roles: bool, named: bool) -> str:
    cells = [
        _cell(column, plain(value), number == 0 and not column.text, roles, named)
        for number, (column, value) in enumerate(zip(columns, row, strict=True))
    ]
    return f"<tr{_role('row', roles)}>{''.join(cells)}</tr>"


def _cell(column: Column, value: Any, heading: bool, roles: bool, named: bool) -> str:
    attributes = ""
    if column.text:
        attributes, content = ' class="t" dir="auto"', long_text(value)
    elif column.numeric:
        attributes, content = " class=n", inline(value)
        if value is None or isinstance(value, float):
            attributes += f' data-v="{"" if value is None else repr(value)}"'
        if column.bar and is_number(value) and 0 <= value <= 1:
            content = f"{content}{bar(float(value))}"
    else:
        attributes, content = ' class="l" dir="auto"', inline(value)
    if named and not column.text:
        attributes += f' data-h="{escape(column.title)}"'
    tag = "th" if heading else "td"
    scope = ' scope="row"' if heading else ""
    role = _role("rowheader" if heading else "cell", roles)
    return f"<{tag}{scope}{attributes}{role}>{content}</{tag}>"


def bar(share: float) -> str:
    """Return a small bar for a number from 0 to 1, which is written next to it."""
    return (
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * share:.0f}" height="6"/></svg>'
    )


def frame_table(
    frame: pd.DataFrame,
    *,
    name: str,
    caption: str,
    index: str | None = None,
    bars: Sequence[str] = (),
    shown: int = 15,
    limit: int = ROW_LIMIT,
    sorted_by: tuple[str, str] | None = None,
) -> str:
    """Return a frame as a table; numeric columns are found by their values.

    Args:
        frame: the rows, in the order in which to show them.
        name: see :func:`table`.
        caption: see :func:`table`.
        index: the heading of the index; without it, the index is not shown.
        bars: the columns whose cells show a bar.
        shown: see :func:`table`.
        limit: how many rows are in the page; if the frame has more, a note says so.
        sorted_by: the column that the rows are sorted by, and ``ascending`` or ``descending``.
    """
    names = [str(column) for column in frame.columns]
    head = frame.head(limit)
    cells = [list(row) for row in head.itertuples(index=index is not None, name=None)]
    for place, column in enumerate(names, int(index is not None)):
        for row, value in zip(cells, whole([row[place] for row in cells], column), strict=True):
            row[place] = value
    columns = [
        Column(
            title=index if index is not None and at < 0 else column_name(names[at]),
            numeric=_numeric([row[place] for row in cells]),
            bar=at >= 0 and names[at] in bars,
            text=at >= 0 and names[at] in _TEXTS,
        )
        for place, at in enumerate(range(-1 if index is not None else 0, len(names)))
    ]
    by = None
    if sorted_by is not None and sorted_by[0] in names:
        by = (names.index(sorted_by[0]) + (index is not None), sorted_by[1])
    note = ""
    if len(frame) > limit:
        note = f'<p class="note">The first {limit:,} of {len(frame):,} rows.</p>'
    return note + table(columns, cells, name=name, caption=caption, shown=shown, sorted_by=by)


def whole(cells: Sequence[Any], name: str) -> Sequence[Any]:
    """Return the cells of a column with integers in place of floats, if it holds whole numbers.

    pandas turns the counts of a column into floats if one is missing. A column of 0 and 1 may hold
    shares too, so its name says which it is.
    """
    values = [plain(value) for value in cells]
    numbers = [value for value in values if value is not None]
    if not all(is_number(v) and math.isfinite(v) and v == int(v) for v in numbers):
        return cells
    if name not in COUNTS and not any(abs(v) >= 2 for v in numbers):
        return cells
    return [None if value is None else int(value) for value in values]


def _numeric(cells: list[Any]) -> bool:
    values = [value for value in map(plain, cells) if value is not None]
    return bool(values) and all(is_number(value) for value in values)


def pairs(values: Iterable[tuple[str, Any]], caption: str) -> str:
    """Return names and values as a plain table of two columns."""
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{inline(_short(value))}</td></tr>'
        for key, value in values
    )
    return f'<table class="pairs"><caption>{escape(caption)}</caption><tbody>{rows}</tbody></table>'


def _short(value: Any) -> Any:
    value = plain(value)
    return cut(value, 600) if isinstance(value, str) else value


def slug(title: str) -> str:
    """Return a title in a form that can be part of an id."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:30]
