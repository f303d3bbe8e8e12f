"""Charts as inline SVG: matplotlib draws the shapes, and the page gives the colors and the font.

Shapes have placeholder colors, which become CSS variables, so that one chart suits light and dark.
Text does not pass through matplotlib, which would need fonts to measure it and process-wide settings
to keep it as text. No setting of matplotlib is changed here, so any thread may draw.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from clx.errors import MissingDependencyError
from clx.ml.report.markup import escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, RULE, ERROR = "#010101", "#010102", "#010103", "#010104"
SERIES = ("#010111", "#010112", "#010113", "#010114")
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", ERROR: "--error"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES, 1)
}
_DECLARATION = re.compile(r"([\w-]+): *([^;]+)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")

FONT_SIZE = 11.5
"""The size of text in CSS pixels; ``page.css`` repeats it."""


class Chart:
    """A drawing of a given size; sizes and positions are in CSS pixels from the top left.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """

    def __init__(self, width: float, height: float) -> None:
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise MissingDependencyError(
                "The charts of report.html need matplotlib: pip install matplotlib"
            ) from error
        self.width, self.height = width, height
        self._figure = Figure((width / 72, height / 72), dpi=72, frameon=False)
        self._figure.set_layout_engine("none")
        self._texts: list[str] = []
        self._tips: dict[str, str] = {}

    def add_axes(
        self,
        place: tuple[float, float, float, float],
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> Axes:
        """Add axes with fixed limits and without lines, ticks and labels of their own.

        Args:
            place: left, top, width and height.
            x: the limits of the x axis.
            y: the limits of the y axis.
        """
        left, top, width, height = place
        axes = self._figure.add_axes(
            (left / self.width, 1 - (top + height) / self.height,
             width / self.width, height / self.height)
        )  # fmt: skip
        axes.set_axis_off()
        axes.set(xlim=x, ylim=y)
        return axes

    def tip(self, text: str) -> str:
        """Return the gid of an artist that shows ``text`` when a pointer rests on it."""
        gid = f"tip-{len(self._tips)}"
        self._tips[gid] = text
        return gid

    def write(
        self, x: float, y: float, text: str, *, anchor: str = "start", look: str = ""
    ) -> None:
        """Write text.

        Args:
            x: the position of the anchor.
            y: the middle of the text's height.
            text: what to write.
            anchor: ``start``, ``middle`` or ``end`` of the text; ``top`` is the end of a text that
                reads upwards.
            look: CSS classes.
        """
        attributes = f'x="{_short(x)}" y="{_short(y + 4)}"'
        if anchor == "top":
            attributes += f' transform="rotate(-90 {_short(x)} {_short(y)})"'
        if anchor != "start":
            attributes += f' text-anchor="{"end" if anchor == "top" else anchor}"'
        if look:
            attributes += f' class="{look}"'
        self._texts.append(f"<text {attributes}>{escape(text)}</text>")

    def label_x(self, axes: Axes, ticks: Mapping[float, str], *, upright: bool = False) -> None:
        """Write the labels of an x axis, a mapping from values to labels."""
        y = self.height - axes.bbox.y0 + (9 if upright else 14)
        for value, label in ticks.items():
            x, _ = axes.transData.transform((value, 0))
            self.write(x, y, label, anchor="top" if upright else "middle")

    def label_y(self, axes: Axes, ticks: Mapping[float, str]) -> None:
        """Write the labels of a y axis, a mapping from values to labels."""
        for value, label in ticks.items():
            _, y = axes.transData.transform((0, value))
            self.write(axes.bbox.x0 - 9, self.height - y, label, anchor="end")

    def to_svg(self, *, name: str, label: str) -> str:
        """Return the chart as inline SVG.

        Args:
            name: the prefix of its ids, unique in the page.
            label: what the chart shows, in a sentence.
        """
        file = io.BytesIO()
        self._figure.savefig(
            file, format="svg",
            bbox_inches=self._figure.bbox_inches,  # else the setting savefig.bbox would apply
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
        )  # fmt: skip
        ids: dict[str, str] = {}
        root = ElementTree.fromstring(file.getvalue())
        shapes = "".join(self._markup(child, name, ids) for child in root)
        width, height = round(self.width), round(self.height)
        return (
            f'<svg class="plot" role="img" aria-label="{escape(label)}" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}">{shapes}{"".join(self._texts)}</svg>'
        )

    def _markup(self, element: ElementTree.Element, name: str, ids: dict[str, str]) -> str:
        tag = _local(element.tag)
        # page.css repeats the rule in `style`. Everything lies within its axes: clipping could only
        # cut what lies on their edge in half.
        if tag in ("style", "clipPath"):
            return ""
        content = "".join(self._markup(child, name, ids) for child in element)
        if tag == "g":
            tip = self._tips.get(element.get("id", ""))
            return content if tip is None else f"<g><title>{escape(tip)}</title>{content}</g>"
        if tag == "defs" and not content:
            return ""
        attributes = "".join(
            f' {key}="{_LONG_NUMBER.sub(lambda found: _short(float(found[0])), value)}"'
            for key, value in _attributes(element, name, ids)
        )
        return f"<{tag}{attributes}>{content}</{tag}>" if content else f"<{tag}{attributes}/>"


def _attributes(
    element: ElementTree.Element, name: str, ids: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the attributes; style becomes attributes, since the page's policy forbids ``style``."""
    for full_key, value in element.attrib.items():
        key = _local(full_key)
        if key == "style":
            for prop, setting in _DECLARATION.findall(value):
                variable = _VARIABLES.get(setting)
                yield prop, setting if variable is None else f"var({variable})"
        elif key in ("id", "href"):
            # matplotlib's ids are random, and two charts may have the same.
            own = ids.setdefault(value.removeprefix("#"), f"{name}-{len(ids)}")
            yield key, own if key == "id" else f"#{own}"
        elif key != "clip-path":
            yield key, value


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def text_width(text: str) -> float:
    """Return the approximate width of a text in CSS pixels; only the reader has the font."""
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return FONT_SIZE * (0.56 * (len(text) - wide) + wide)
