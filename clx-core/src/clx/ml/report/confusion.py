"""Which labels the model takes for each other, or which labels come together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml.report.markup import number
from clx.ml.report.parts import Part, scroller, subheading
from clx.ml.report.plots import heat_map
from clx.ml.report.tables import Column, table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

DRAWN = 30
"""Labels in a heat map; beyond that only those of the first pairs."""
PAIRS = 200
"""Pairs in a table."""

Pair = tuple[str, str, int, float]


def confusion_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the most confused pairs, and a heat map of their labels."""
    if frame is None or not frame.size:
        return None
    rows, columns, counts = _names(frame.index), _names(frame.columns), _counts(frame)
    totals = counts.sum(axis=1)
    found = [
        (rows[at], columns[to], count, count / totals[at])
        for at, to, count in _largest(counts)
        if rows[at] != columns[to]
    ]
    titles = ("Given", "Predicted", "Rows", "Share of the given label")
    wrong = sum(count for _, _, count, _ in found)
    body = (
        _pairs(found, titles, name="confused", caption="The most confused pairs of labels")
        if found
        else "<p>No row was given a wrong label.</p>"
    )
    drawn = _drawn(rows, columns, found)
    body += _drawing(
        counts, rows, columns, drawn, name="plot-confusion", axes=("given", "predicted"),
        title="Confusion of labels", what="most confused",
        tip="given {row}, predicted {column}: {count} rows",
    )  # fmt: skip
    how = (
        f"{number(wrong)} of {number(int(counts.sum()))} rows got another label than the given "
        "one. In the grid a row is a given label and a column a predicted one: grey is right, "
        "colour is a mistake, and the stronger it is the more rows."
    )
    return Part("confusion", "What it confuses", how, body)


def cooccurrence_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the pairs of labels that come together most, and a heat map of them."""
    if frame is None or not frame.size:
        return None
    rows, columns, counts = _names(frame.index), _names(frame.columns), _counts(frame)
    own = dict(zip(rows, counts.diagonal().tolist(), strict=False))
    found = []
    seen: set[frozenset[str]] = set()
    for at, to, count in _largest(counts):
        one, two = rows[at], columns[to]
        if one == two or frozenset((one, two)) in seen:
            continue
        seen.add(frozenset((one, two)))
        rarer = min(own.get(one, 0), own.get(two, 0))
        found.append((one, two, count, count / rarer if rarer else float("nan")))
    titles = ("Label", "Together with", "Rows", "Share of the rarer label")
    body = (
        _pairs(found, titles, name="together", caption="Pairs of labels that come together")
        if found
        else "<p>No row has two labels.</p>"
    )
    drawn = _drawn(rows, columns, found)
    body += _drawing(
        counts, rows, columns, drawn, name="plot-together", axes=("label", "together with"),
        title="Labels that come together", what="most connected",
        tip="{row} with {column}: {count} rows",
    )  # fmt: skip
    how = (
        "Each cell of the grid counts the rows that carry both labels, the stronger the more; grey "
        "is the number of rows of the label itself."
    )
    return Part("cooccurrence", "Which labels come together", how, body)


def _names(index: pd.Index[Any]) -> list[str]:
    return [str(name) for name in index]


def _counts(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    import numpy as np

    values = frame.to_numpy(dtype=np.float64, na_value=0.0)
    counts: np.ndarray[Any, Any] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return counts.clip(min=0).round().astype(int)


def _largest(counts: np.ndarray[Any, Any]) -> list[tuple[int, int, int]]:
    """Return row, column and count of each cell that is not 0, the largest first."""
    import numpy as np

    at, to = np.nonzero(counts)
    order = np.argsort(-counts[at, to], kind="stable")
    return list(
        zip(at[order].tolist(), to[order].tolist(), counts[at, to][order].tolist(), strict=True)
    )


def _pairs(found: list[Pair], titles: tuple[str, ...], *, name: str, caption: str) -> str:
    columns = [Column(titles[0]), Column(titles[1]), Column(titles[2], numeric=True)]
    columns.append(Column(titles[3], numeric=True, bar=True))
    note = ""
    if len(found) > PAIRS:
        note = f'<p class="note">The first {PAIRS} of {len(found):,} pairs.</p>'
    return note + table(
        columns, found[:PAIRS], name=name, caption=caption, shown=10, sorted_by=(2, "descending")
    )


def _drawn(rows: list[str], columns: list[str], found: list[Pair]) -> list[str]:
    """Return the labels to draw: all of a few, else those of the first pairs, side by side."""
    names = list(dict.fromkeys([*rows, *columns]))
    if len(names) <= DRAWN:
        return names
    chosen: dict[str, None] = {}
    for one, two, _, _ in found:
        if len(chosen.keys() | {one, two}) > DRAWN:
            break
        chosen |= {one: None, two: None}
    return list(chosen)


def _drawing(
    counts: np.ndarray[Any, Any], rows: list[str], columns: list[str], drawn: list[str], *,
    name: str, axes: tuple[str, str], title: str, what: str, tip: str,
) -> str:  # fmt: skip
    row_places, column_places = (
        dict(zip(rows, range(len(rows)), strict=True)),
        dict(zip(columns, range(len(columns)), strict=True)),
    )
    row_names = [label for label in drawn if label in row_places]
    column_names = [label for label in drawn if label in column_places]
    if not row_names or not column_names:
        return ""
    at = [row_places[label] for label in row_names]
    to = [column_places[label] for label in column_names]
    heading = title
    if len(drawn) < len(set(rows) | set(columns)):
        heading = f"{title}: the {len(drawn)} {what} of {len(set(rows) | set(columns))}"
    drawing = heat_map(
        counts[at][:, to], row_names, column_names,
        name=name, label=heading, tip=tip, axis_labels=axes,
    )  # fmt: skip
    return subheading(heading) + scroller(drawing, heading)
