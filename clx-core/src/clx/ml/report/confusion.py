"""Pairs of labels: which labels the model confuses, or which labels occur together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from clx.ml.report.markup import number
from clx.ml.report.parts import Part, scroller, subheading
from clx.ml.report.plots import Grid, heat_map
from clx.ml.report.tables import Column, table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

DRAWN = 30
"""The most labels in a heat map; of more labels, those of the first pairs are drawn."""
PAIRS = 200
"""The most pairs in a table."""

Pair = tuple[str, str, int, float]


def confusion_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the most confused pairs, and a heat map of their labels."""
    if frame is None or not frame.size:
        return None
    grid = _grid(frame, ("given", "predicted"), "given {row}, predicted {column}: {count}")
    totals = grid.counts.sum(axis=1)
    found = [
        (grid.rows[at], grid.columns[to], count, count / totals[at])
        for at, to, count in _largest(grid.counts)
        if grid.rows[at] != grid.columns[to]
    ]
    titles = ("Given", "Predicted", "Rows", "Share of the given label")
    body = (
        _pairs(found, titles, name="confused", caption="The most confused pairs of labels")
        if found
        else "<p>The model predicted the given label for every row.</p>"
    )
    body += _drawing(grid, found, name="plot-confusion", title="Confusion matrix", kind="confused")
    wrong = sum(count for _, _, count, _ in found)
    how = (
        f"For {number(wrong)} of {number(int(grid.counts.sum()))} rows the model predicted a label "
        "other than the given one. In the matrix, rows are given labels and columns are predicted "
        "labels. Gray cells are correct predictions, and colored cells are mistakes. The stronger "
        "the color, the more rows."
    )
    return Part("confusion", "Confused labels", how, body)


def cooccurrence_part(frame: pd.DataFrame | None) -> Part | None:
    """Return the pairs of labels that occur together most, and a heat map of their labels."""
    if frame is None or not frame.size:
        return None
    grid = _grid(frame, ("label", "together with"), "{row} with {column}: {count}")
    own = dict(zip(grid.rows, grid.counts.diagonal().tolist(), strict=False))
    found = []
    seen: set[frozenset[str]] = set()
    for at, to, count in _largest(grid.counts):
        one, two = grid.rows[at], grid.columns[to]
        if one == two or frozenset((one, two)) in seen:
            continue
        seen.add(frozenset((one, two)))
        rarer = min(own.get(one, 0), own.get(two, 0))
        found.append((one, two, count, count / rarer if rarer else float("nan")))
    titles = ("Label", "Together with", "Rows", "Share of the rarer label")
    body = (
        _pairs(found, titles, name="together", caption="Pairs of labels that occur together")
        if found
        else "<p>No row has two labels.</p>"
    )
    body += _drawing(
        grid, found, name="plot-together", title="Co-occurrence matrix", kind="connected"
    )
    how = (
        "Each colored cell of the matrix counts the rows that have both labels. Gray cells count all "
        "rows of a label. The stronger the color, the more rows."
    )
    return Part("cooccurrence", "Label co-occurrence", how, body)


def _grid(frame: pd.DataFrame, axes: tuple[str, str], tip: str) -> Grid:
    import numpy as np

    rows, columns = ([str(name) for name in index] for index in (frame.index, frame.columns))
    if all(dtype.kind == "i" for dtype in frame.dtypes):
        # Copies of the table of many labels would take much memory.
        return Grid(frame.to_numpy().clip(min=0), rows, columns, axes, tip)
    values = frame.to_numpy(dtype=np.float64, na_value=0.0)
    counts: np.ndarray[Any, Any] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return Grid(counts.clip(min=0).round().astype(int), rows, columns, axes, tip)


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


def _drawing(grid: Grid, found: list[Pair], *, name: str, title: str, kind: str) -> str:
    """Return a heat map with its heading; it shows the most ``kind`` labels if there are many."""
    every = list(dict.fromkeys([*grid.rows, *grid.columns]))
    drawn = every if len(every) <= DRAWN else _labels_of(found)
    row_places, column_places = (
        {label: place for place, label in enumerate(labels)} for labels in (grid.rows, grid.columns)
    )
    rows = [label for label in drawn if label in row_places]
    columns = [label for label in drawn if label in column_places]
    if not rows or not columns:
        return ""
    if len(drawn) < len(every):
        title = f"{title}: the {len(drawn)} most {kind} of {len(every)} labels"
    at, to = [row_places[label] for label in rows], [column_places[label] for label in columns]
    shown = dataclasses.replace(grid, counts=grid.counts[at][:, to], rows=rows, columns=columns)
    return subheading(title) + scroller(heat_map(shown, name=name, label=title), title)


def _labels_of(found: list[Pair]) -> list[str]:
    """Return the labels of the first pairs, those of a pair next to each other."""
    chosen: dict[str, None] = {}
    for one, two, _, _ in found:
        if len(chosen.keys() | {one, two}) > DRAWN:
            break
        chosen |= {one: None, two: None}
    return list(chosen)
