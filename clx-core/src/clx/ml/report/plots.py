"""The drawings of a report: matplotlib figures as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.report import svg
from clx.ml.report.markup import cut, cut_middle, escape, number

if TYPE_CHECKING:
    import numpy as np

NAME_LENGTH = 26
"""Characters of a label's name that fit beside a drawing."""
MAX_POINTS = 400

# Beside the colours, for readers who do not see them.
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 2)), (0, (7, 2, 1.5, 2)))
_DASH_ATTRIBUTES = ("", "5 2", "1.5 2", "7 2 1.5 2")
_MARKERS = ("o", "s", "^", "D")


@dataclass(frozen=True)
class Line:
    """One line of a plot: its name, and where it goes."""

    name: str
    points: Sequence[tuple[float, float]]


def line_plot(
    lines: Sequence[Line], *, name: str, label: str, x_label: str, shares: bool = False
) -> str:
    """Return up to four lines over a common x axis, with a legend if there are several."""
    figure = svg.new_figure(440, 250)
    axes = svg.add_axes(figure, 46, 14, 380, 190)
    lines = [Line(line.name, _thinned(line.points)) for line in lines[: len(svg.SERIES)]]
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    for place, line in enumerate(lines):
        few = len(line.points) <= 40
        axes.plot(
            [x for x, _ in line.points],
            [y for _, y in line.points],
            color=svg.SERIES[place],
            linewidth=2,
            linestyle=_DASHES[place],
            marker=_MARKERS[place] if few else "None",
            markersize=5.5,
            markeredgewidth=0,
            clip_on=False,
        )
    _scale(axes, "x", min(xs), max(xs), margin=0.02)
    if shares and min(ys) >= 0 and max(ys) <= 1:
        _scale(axes, "y", min(min(ys), 0.9), 1.0, margin=0.04, top=1.0)
    else:
        _scale(axes, "y", min(0.0, *ys), max(ys), margin=0.02)
    svg.write(figure, 236, 242, x_label, ha="center")
    return svg.to_svg(figure, name=name, label=label) + _legend(lines)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return at most ``MAX_POINTS`` points, each the mean of its neighbours."""
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
        f'stroke="var(--series-{place})" stroke-width="2.5" stroke-dasharray="{dash}"/></svg>'
        f"{escape(cut(line.name, 40))}</li>"
        for place, (line, dash) in enumerate(zip(lines, _DASH_ATTRIBUTES, strict=False), 1)
    )
    return f'<ul class="legend">{items}</ul>'


def _scale(
    axes: Any, axis: str, low: float, high: float, *, margin: float, top: float | None = None
) -> None:
    """Set the limits and round ticks of an axis; one value alone gets some room."""
    from matplotlib.ticker import MaxNLocator

    if high <= low:
        room = abs(low) * 0.1 or 1.0
        low, high = low - room, high + room
    ticks = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [float(tick) for tick in ticks if low - 1e-9 <= tick <= high * (1 + 1e-9) + 1e-9]
    room = (high - low) * margin
    limits = (low - room, high + room if top is None else top)
    (axes.set_xlim if axis == "x" else axes.set_ylim)(*limits)
    svg.set_ticks(axes, axis, ticks, [_tick(tick) for tick in ticks])


def _tick(value: float) -> str:
    text = number(round(value, 10))
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def heat_map(
    counts: np.ndarray[Any, Any],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    name: str,
    label: str,
    tip: str,
    axis_labels: tuple[str, str],
) -> str:
    """Return counts as a grid: the diagonal in grey, the rest the stronger the more.

    Args:
        counts: shape (rows, columns).
        rows: their names.
        columns: theirs.
        name: what the drawing's ids begin with.
        label: what it shows, in a sentence.
        tip: the text of a cell, with ``{row}``, ``{column}`` and ``{count}``.
        axis_labels: what rows and what columns are.
    """
    from matplotlib.patches import Rectangle

    size = 40.0 if len(rows) <= 8 else 30.0 if len(rows) <= 15 else 22.0
    short = [[cut_middle(text, NAME_LENGTH) for text in names] for names in (rows, columns)]
    left = max(map(svg.text_width, short[0])) * svg.FONT_SIZE + 24
    below = max(map(svg.text_width, short[1])) * svg.FONT_SIZE + 34
    width, height = size * len(columns), size * len(rows)
    figure = svg.new_figure(left + width + 8, 26 + height + below)
    axes = svg.add_axes(figure, left, 26, width, height, grid="none")
    axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    middle = {"rotation_mode": "anchor", "ha": "right", "va": "center"}
    svg.set_ticks(axes, "y", [at + 0.5 for at in range(len(rows))], short[0], **middle)
    places = [at + 0.5 for at in range(len(columns))]
    svg.set_ticks(axes, "x", places, short[1], rotation=90, **middle)
    line: dict[str, Any] = {"linestyle": "-", "marker": "None", "clip_on": False}
    for place in range(len(rows) + 1):
        axes.axhline(place, color=svg.RULE, linewidth=0.7, **line)
    for place in range(len(columns) + 1):
        axes.axvline(place, color=svg.RULE, linewidth=0.7, **line)
    same = [[row == column for column in columns] for row in rows]
    highest = [max((count for row, marks in zip(counts, same, strict=True)
                    for count, mark in zip(row, marks, strict=True) if mark is kind), default=0)
               for kind in (False, True)]  # fmt: skip
    tips: dict[str, str] = {}
    for (at_row, at_column), count in _cells(counts):
        right = same[at_row][at_column]
        color = svg.MUTED if right else svg.ERROR
        depth = 0.10 + (0.35 if right else 0.65) * math.sqrt(count / highest[right])
        gid = f"cell-{at_row}-{at_column}"
        axes.add_patch(
            Rectangle((at_column, at_row), 1, 1, facecolor=color, edgecolor="none",
                      linewidth=0, alpha=depth, gid=gid)
        )  # fmt: skip
        tips[gid] = tip.format(
            row=cut(rows[at_row], 80), column=cut(columns[at_column], 80), count=number(count)
        )
        if size > 25:
            axes.text(
                at_column + 0.5, at_row + 0.5, number(count), ha="center", va="center",
                fontsize=svg.FONT_SIZE - (len(number(count)) > 3) * 2, color=svg.INK,
                fontfamily="DejaVu Sans",
            )  # fmt: skip
    svg.write(figure, left - 8, 17, f"{axis_labels[0]} ↓", ha="right", color=svg.INK)
    svg.write(figure, left, 17, f"{axis_labels[1]} →", ha="left", color=svg.INK)
    return svg.to_svg(figure, name=name, label=label, tips=tips)


def _cells(counts: np.ndarray[Any, Any]) -> list[tuple[tuple[int, int], Any]]:
    return [
        ((row, column), value)
        for row, values in enumerate(counts.tolist())
        for column, value in enumerate(values)
        if value > 0
    ]


def reliability(bins: Sequence[tuple[float, float, float]], *, name: str, label: str) -> str:
    """Return the share that is right over the score, and below it how often each score occurs.

    Args:
        bins: mean score, share right and number of rows of each bin.
        name: what the drawing's ids begin with.
        label: what it shows, in a sentence.
    """
    figure = svg.new_figure(440, 470)
    axes = svg.add_axes(figure, 52, 14, 374, 320, grid="both")
    quarters = [0.0, 0.25, 0.5, 0.75, 1.0]
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1.3, linestyle=(0, (4, 3)), marker="None")
    most = max(count for _, _, count in bins)
    scores, right = [score for score, _, _ in bins], [share for _, share, _ in bins]
    axes.plot(scores, right, color=svg.SERIES[0], linewidth=1.6, linestyle="-", marker="None")
    tips = {}
    for place, (score, share, count) in enumerate(bins):
        size = 4 + 10 * math.sqrt(count / most)
        axes.plot(
            [score], [share], linestyle="None", marker="o", markersize=size, markeredgewidth=0,
            color=svg.SERIES[0], clip_on=False, gid=f"bin-{place}",
        )  # fmt: skip
        tips[f"bin-{place}"] = (
            f"score {number(score)}: {number(share)} right, {number(round(count))} rows"
        )
    svg.set_ticks(axes, "x", quarters, ["" for _ in quarters])
    svg.set_ticks(axes, "y", quarters, ["0", "25 %", "50 %", "75 %", "100 %"])
    below = svg.add_axes(figure, 52, 356, 374, 60, grid="y")
    below.set(xlim=(0, 1), ylim=(0, most * 1.05))
    below.vlines(scores, 0, [count for _, _, count in bins], colors=svg.SERIES[0], linewidth=9)
    svg.set_ticks(below, "x", quarters, ["0", "0.25", "0.5", "0.75", "1"])
    svg.set_ticks(below, "y", [0, most], ["0", number(round(most))])
    svg.write(figure, 239, 458, "score of the prediction", ha="center")
    svg.write(figure, 58, 26, "share right", ha="left")
    svg.write(figure, 58, 368, "rows", ha="left")
    return svg.to_svg(figure, name=name, label=label, tips=tips)


def label_bars(counts: Mapping[str, float], *, name: str, label: str) -> str:
    """Return a bar a label, most frequent first: with names while they can be read."""
    items = sorted(counts.items(), key=lambda item: -item[1])
    if len(items) <= 30:
        return _named_bars(items, name, label)
    figure = svg.new_figure(720, 210)
    axes = svg.add_axes(figure, 46, 12, 666, 166)
    axes.set_xlim(-0.7, len(items) - 0.3)
    tips = {}
    for place, (text, count) in enumerate(items):
        axes.bar([place], [count], width=0.72, color=svg.SERIES[0], linewidth=0)[0].set_gid(
            f"label-{place}"
        )
        tips[f"label-{place}"] = f"{cut(text, 80)}: {number(count)}"
    _scale(axes, "y", 0.0, max(count for _, count in items) or 1.0, margin=0.02)
    axes.set_ylim(bottom=0)
    svg.set_ticks(axes, "x", [], [])
    svg.write(figure, 379, 200, f"{len(items):,} labels, most frequent first", ha="center")
    return svg.to_svg(figure, name=name, label=label, tips=tips)


def _named_bars(items: Sequence[tuple[str, float]], name: str, label: str) -> str:
    names = [cut_middle(text, NAME_LENGTH) for text, _ in items]
    left = max(map(svg.text_width, names)) * svg.FONT_SIZE + 20
    height = 20.0 * len(items)
    figure = svg.new_figure(left + 440, height + 8)
    axes = svg.add_axes(figure, left, 4, 380, height, grid="none")
    places = [float(place) for place in range(len(items))]
    most = max(count for _, count in items) or 1
    axes.set(ylim=(len(items) - 0.5, -0.5), xlim=(0, most))
    axes.barh(places, [count for _, count in items], 0.62, color=svg.SERIES[0], linewidth=0)
    svg.set_ticks(axes, "x", [], [])
    svg.set_ticks(axes, "y", places, names, rotation_mode="anchor", ha="right", va="center")
    for place, (_, count) in enumerate(items):
        svg.write(
            figure,
            left + 380 * count / most + 7,
            4 + 20 * place + 10,
            number(count),
            va="center",
            ha="left",
        )
    return svg.to_svg(figure, name=name, label=label)
