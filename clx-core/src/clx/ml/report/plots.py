"""The charts of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.report import svg
from clx.ml.report.markup import cut, cut_middle, escape, number

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

NAME_LENGTH = 26
"""The number of characters of a label's name that fit next to a chart."""
MAX_POINTS = 400

# Dashes and markers tell lines apart for readers who cannot tell the colors apart.
_DASHES = ((), (5, 2), (1.5, 2), (7, 2, 1.5, 2))
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class Line:
    """One line of a plot: its name and its points."""

    name: str
    points: Sequence[tuple[float, float]]


def line_plot(
    lines: Sequence[Line], *, name: str, label: str, x_label: str, shares: bool = False
) -> str:
    """Return up to four lines over a common x axis, with a legend if there are several.

    Args:
        lines: what to draw.
        name: the prefix of the chart's ids.
        label: what the chart shows, in a sentence.
        x_label: what the x axis shows.
        shares: end the y axis at 1 if all values are from 0 to 1.
    """
    chart = svg.Chart(440, 250)
    lines = [Line(line.name, _thinned(line.points)) for line in lines[: len(svg.SERIES)]]
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x_limits, x_ticks = _scale(min(xs), max(xs))
    if shares and min(ys) >= 0 and max(ys) <= 1:
        y_limits, y_ticks = _scale(min(*ys, 0.9), 1.0, below=0.04, above=0)
    else:
        y_limits, y_ticks = _scale(min(*ys, 0.0), max(ys))
    left = max(46.0, *(svg.text_width(tick) + 18 for tick in y_ticks.values()))
    axes = chart.add_axes((left, 14, 426 - left, 190), x_limits, y_limits)
    _grid(axes, ys=y_ticks)
    _base_line(axes)
    for line, color, dashes, marker in zip(lines, svg.SERIES, _DASHES, _MARKERS, strict=False):
        axes.plot(
            *zip(*line.points, strict=True), color=color, linewidth=2, linestyle=(0, dashes or None),
            marker=marker if len(line.points) <= 40 else "None", markersize=5.5, markeredgewidth=0,
        )  # fmt: skip
    chart.label_x(axes, x_ticks)
    chart.label_y(axes, y_ticks)
    chart.write((left + 426) / 2, 238, x_label, anchor="middle")
    return chart.to_svg(name=name, label=label) + _legend(lines)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most ``MAX_POINTS`` points, each the mean of its neighbors."""
    size = math.ceil(len(points) / MAX_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    items = "".join(
        f'<li><svg class="key" viewBox="0 0 26 8" aria-hidden="true"><path d="M0 4H26" '
        f'stroke="var(--series-{place})" stroke-width="2.5" '
        f'stroke-dasharray="{" ".join(map(str, dashes))}"/></svg>{escape(cut(line.name, 40))}</li>'
        for place, (line, dashes) in enumerate(zip(lines, _DASHES, strict=False), 1)
    )
    return f'<ul class="legend">{items}</ul>'


def _scale(
    low: float, high: float, *, below: float = 0.02, above: float = 0.02
) -> tuple[tuple[float, float], dict[float, str]]:
    """Return the limits of an axis, and its round ticks with their labels.

    Args:
        low: the smallest value.
        high: the largest value; a range of one value is widened.
        below: room below the smallest value, as a share of the range.
        above: room above the largest value, as a share of the range.
    """
    from matplotlib.ticker import MaxNLocator

    if high <= low:
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
    places = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [float(place) for place in places if low - 1e-9 <= place <= high * (1 + 1e-9) + 1e-9]
    size = high - low
    return (low - size * below, high + size * above), {tick: _tick(tick) for tick in ticks}


def _tick(value: float) -> str:
    text = number(round(value, 10))
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _grid(axes: Axes, xs: Iterable[float] = (), ys: Iterable[float] = (), **style: float) -> None:
    look: dict[str, Any] = {"colors": svg.RULE, "linewidth": 1, "zorder": 0} | style
    axes.vlines(list(xs), *axes.get_ylim(), **look)
    axes.hlines(list(ys), *axes.get_xlim(), **look)


def _base_line(axes: Axes) -> None:
    axes.hlines([axes.get_ylim()[0]], *axes.get_xlim(), colors=svg.MUTED, linewidth=1)


@dataclass(frozen=True)
class Grid:
    """Counts of pairs of labels.

    Attributes:
        counts: shape (rows, columns).
        rows: the names of the rows.
        columns: the names of the columns.
        axes: what rows and what columns are.
        tip: the text of a cell, with ``{row}``, ``{column}`` and ``{count}``, such as "3 rows".
    """

    counts: np.ndarray[Any, Any]
    rows: Sequence[str]
    columns: Sequence[str]
    axes: tuple[str, str]
    tip: str


def heat_map(grid: Grid, *, name: str, label: str) -> str:
    """Return counts as colored cells: gray where row and column are the same label.

    Args:
        grid: what to draw; the color of a cell is stronger for a larger count.
        name: the prefix of the chart's ids.
        label: what the chart shows, in a sentence.
    """
    rows, columns = len(grid.rows), len(grid.columns)
    size = 40.0 if rows <= 8 else 30.0 if rows <= 15 else 22.0
    row_names, column_names = (
        [cut_middle(text, NAME_LENGTH) for text in names] for names in (grid.rows, grid.columns)
    )
    left = max(map(svg.text_width, row_names)) + 24
    below = max(map(svg.text_width, column_names)) + 34
    chart = svg.Chart(left + size * columns + 8, 26 + size * rows + below)
    place = (left, 26, size * columns, size * rows)
    axes = chart.add_axes(place, (0, columns), (rows, 0))
    _draw_cells(chart, axes, grid, counted=size > 25)
    _grid(axes, range(columns + 1), range(rows + 1), linewidth=0.7, zorder=3)
    chart.label_x(axes, {at + 0.5: text for at, text in enumerate(column_names)}, upright=True)
    chart.label_y(axes, {at + 0.5: text for at, text in enumerate(row_names)})
    chart.write(left - 8, 13, f"{grid.axes[0]} ↓", anchor="end", look="ink")
    chart.write(left, 13, f"{grid.axes[1]} →", look="ink")
    return chart.to_svg(name=name, label=label)


def _draw_cells(chart: svg.Chart, axes: Axes, grid: Grid, *, counted: bool) -> None:
    from matplotlib.patches import Rectangle

    cells = [
        (at_row, at_column, row == column, count)
        for at_row, (row, counts) in enumerate(zip(grid.rows, grid.counts.tolist(), strict=True))
        for at_column, (column, count) in enumerate(zip(grid.columns, counts, strict=True))
        if count > 0
    ]
    highest = {same: max((cell[3] for cell in cells if cell[2] is same), default=0)
               for same in (False, True)}  # fmt: skip
    for at_row, at_column, same, count in cells:
        shown = number(count)
        row, column = cut(grid.rows[at_row], 80), cut(grid.columns[at_column], 80)
        tip = chart.tip(grid.tip.format(row=row, column=column, count=_row_count(count)))
        depth = 0.10 + (0.35 if same else 0.65) * math.sqrt(count / highest[same])
        axes.add_patch(
            Rectangle((at_column, at_row), 1, 1, facecolor=svg.MUTED if same else svg.ERROR,
                      edgecolor="none", linewidth=0, alpha=depth, gid=tip)
        )  # fmt: skip
        if counted:
            x, y = axes.transData.transform((at_column + 0.5, at_row + 0.5))
            look = "ink small" if len(shown) > 3 else "ink"
            chart.write(x, chart.height - y, shown, anchor="middle", look=look)


def _row_count(count: float) -> str:
    return f"{number(round(count))} {'row' if count == 1 else 'rows'}"


def reliability(bins: Sequence[tuple[float, float, float]], *, name: str, label: str) -> str:
    """Return the share of right predictions by score, above the number of rows by score.

    Args:
        bins: mean score, share of right predictions and number of rows of each bin.
        name: the prefix of the chart's ids.
        label: what the chart shows, in a sentence.
    """
    chart = svg.Chart(440, 470)
    axes = chart.add_axes((52, 14, 374, 320), (0, 1), (0, 1))
    quarters = (0, 0.25, 0.5, 0.75, 1)
    _grid(axes, quarters, quarters)
    _base_line(axes)
    axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1.3, linestyle=(0, (4, 3)), marker="None")
    most = max(count for _, _, count in bins)
    color, scores = svg.SERIES[0], [score for score, _, _ in bins]
    axes.plot(
        scores, [share for _, share, _ in bins],
        color=color, linewidth=1.6, linestyle="-", marker="None",
    )  # fmt: skip
    for score, share, count in bins:
        tip = f"score {number(score)}: {number(share)} right, {_row_count(count)}"
        axes.plot(
            [score], [share], color=color, linestyle="None", marker="o", markeredgewidth=0,
            markersize=4 + 10 * math.sqrt(count / most), gid=chart.tip(tip),
        )  # fmt: skip
    chart.label_y(axes, dict(zip(quarters, ("0", "25%", "50%", "75%", "100%"), strict=True)))
    below = chart.add_axes((52, 356, 374, 60), (0, 1), (0, most * 1.05))
    _grid(below, ys=(0, most))
    _base_line(below)
    below.vlines(scores, 0, [count for _, _, count in bins], colors=color, linewidth=9)
    chart.label_x(below, {value: f"{value:g}" for value in quarters})
    chart.label_y(below, {0: "0", most: number(round(most))})
    chart.write(239, 454, "score of the prediction", anchor="middle")
    chart.write(58, 22, "share of right predictions")
    chart.write(58, 364, "rows")
    return chart.to_svg(name=name, label=label)


def label_bars(counts: Mapping[str, int], *, name: str, label: str) -> str:
    """Return one bar per label, most frequent first; up to 30 labels have their names.

    Args:
        counts: rows of each label.
        name: the prefix of the chart's ids.
        label: what the chart shows, in a sentence.
    """
    items = sorted(counts.items(), key=lambda item: -item[1])
    chart = _named_bars(items) if len(items) <= 30 else _unnamed_bars(items)
    return chart.to_svg(name=name, label=label)


def _unnamed_bars(items: Sequence[tuple[str, int]]) -> svg.Chart:
    chart = svg.Chart(720, 210)
    limits, ticks = _scale(0.0, items[0][1] or 1.0, below=0)
    axes = chart.add_axes((46, 12, 666, 166), (-0.7, len(items) - 0.3), limits)
    _grid(axes, ys=ticks)
    _base_line(axes)
    bars = axes.bar(
        range(len(items)), [count for _, count in items], width=0.72, color=svg.SERIES[0],
        linewidth=0,
    )  # fmt: skip
    for bar, (text, count) in zip(bars, items, strict=True):
        bar.set_gid(chart.tip(f"{cut(text, 80)}: {number(count)}"))
    chart.label_y(axes, ticks)
    chart.write(379, 196, f"{len(items):,} labels, most frequent first", anchor="middle")
    return chart


def _named_bars(items: Sequence[tuple[str, int]]) -> svg.Chart:
    names = [cut_middle(text, NAME_LENGTH) for text, _ in items]
    left = max(map(svg.text_width, names)) + 20
    height = 20.0 * len(items)
    chart = svg.Chart(left + 440, height + 8)
    most = max(items[0][1], 1)
    axes = chart.add_axes((left, 4, 380, height), (0, most), (len(items) - 0.5, -0.5))
    counts = [count for _, count in items]
    axes.barh(range(len(items)), counts, 0.62, color=svg.SERIES[0], linewidth=0)
    chart.label_y(axes, dict(enumerate(names)))
    for at, count in enumerate(counts):
        chart.write(left + 380 * count / most + 7, 14 + 20 * at, number(count))
    return chart
