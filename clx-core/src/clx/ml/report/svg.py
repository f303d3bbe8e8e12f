"""A matplotlib figure as inline SVG that takes the page's colours and font.

Colours are drawn as placeholders and become CSS variables, so that one drawing suits light and dark;
styles become attributes, since the page's security policy forbids them; ids are the page's own.
Nothing of matplotlib's global state is read for it or changed, so that any thread may draw.
"""

from __future__ import annotations

import functools
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from clx.errors import MissingDependencyError
from clx.ml.report.markup import clean, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, ERROR = "#010101", "#010102", "#010103", "#010104"
SERIES = ("#010111", "#010112", "#010113", "#010114")
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", ERROR: "--error"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES, 1)
}
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_DROPPED = frozenset({"metadata", "style"})
_DEFAULTS = {("stroke-linejoin", "miter"), ("fill-opacity", "1"), ("opacity", "1")}

FONT_SIZE = 11.5


def need_matplotlib() -> None:
    """Raise if there is nothing to draw with.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "The plots of report.html need matplotlib: pip install matplotlib"
        ) from error


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in CSS pixels, transparent."""
    need_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72, frameon=False)
    figure.set_layout_engine("none")
    figure.patch.set_visible(False)
    return figure


def add_axes(
    figure: Figure, left: float, top: float, width: float, height: float, *, grid: str = "y"
) -> Axes:
    """Add axes at a place in CSS pixels from the top left: a base line, and a quiet grid."""
    full_width, full_height = figure.get_size_inches() * 72
    axes = figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width,
         height / full_height)
    )  # fmt: skip
    axes.patch.set_visible(False)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=side == "bottom" and grid != "none", color=MUTED, linewidth=1)
    axes.minorticks_off()
    axes.grid(False)
    if grid != "none":
        axes.grid(True, axis=grid, color=RULE, linewidth=1, linestyle="-", alpha=1)  # type: ignore[arg-type]
    return axes


def set_ticks(axes: Axes, axis: str, places: list[float], labels: list[str], **text: Any) -> None:
    """Put tick labels, and no tick marks, at places of the x or the y axis."""
    style: dict[str, Any] = {"fontsize": FONT_SIZE, "color": MUTED, "fontfamily": "DejaVu Sans"}
    (axes.set_xticks if axis == "x" else axes.set_yticks)(
        places, labels=[clean(label) for label in labels], **(style | text)
    )
    both = {"top": False, "labeltop": False, "bottom": False, "labelbottom": True}
    sides = {"left": False, "labelleft": True, "right": False, "labelright": False}
    axes.tick_params(axis=axis, which="both", pad=6, **(both if axis == "x" else sides))  # type: ignore[arg-type]


def write(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Write into a figure at a place in CSS pixels from the top left."""
    width, height = figure.get_size_inches() * 72
    look: dict[str, Any] = {"fontsize": FONT_SIZE, "color": MUTED, "fontfamily": "DejaVu Sans"}
    figure.text(x / width, 1 - y / height, clean(text), **(look | style))


def to_svg(figure: Figure, *, name: str, label: str, tips: Mapping[str, str] | None = None) -> str:
    """Return a figure as inline SVG.

    Args:
        figure: made by ``new_figure``.
        name: what its ids begin with, unique in the page.
        label: what the drawing shows, in a sentence.
        tips: an artist's gid → the text to show when a pointer rests on it.
    """
    from matplotlib.text import Text

    width, height = figure.get_size_inches() * 72
    file = io.StringIO()
    renderer = _renderer_class()(width, height, file, image_dpi=72)
    for text in figure.findobj(Text):
        text.set_usetex(False)
    figure.draw(renderer)
    renderer.finalize()
    root = ElementTree.fromstring(file.getvalue())
    ids = {target: f"{name}-{number}" for number, target in enumerate(_targets(root))}
    tips = {gid: clean(tip) for gid, tip in (tips or {}).items()}
    content = "".join(
        ElementTree.tostring(node, encoding="unicode")
        for child in root
        for node in _translated(child, ids, tips)
    )
    return (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">{content}</svg>'
    )


def _targets(root: ElementTree.Element) -> list[str]:
    """Return the ids that something refers to, in order, each once."""
    found = []
    for element in root.iter():
        for key, value in element.attrib.items():
            if _local(key) == "href":
                found.append(value.removeprefix("#"))
            found += _REFERENCE.findall(value)
    return list(dict.fromkeys(found))


def _translated(
    element: ElementTree.Element, ids: Mapping[str, str], tips: Mapping[str, str]
) -> Iterator[ElementTree.Element]:
    tag = _local(element.tag) if isinstance(element.tag, str) else ""
    if not tag or tag in _DROPPED:
        return
    new = ElementTree.Element(tag, _attributes(element, ids))
    if element.text and element.text.strip():
        new.text = element.text
    tip = tips.get(str(element.get("id")))
    if tip is not None:
        ElementTree.SubElement(new, "title").text = tip
    for child in element:
        new.extend(_translated(child, ids, tips))
    if tag == "g" and not new.attrib and tip is None:
        yield from new  # a group that groups nothing
    elif tag != "defs" or len(new):
        yield new


def _attributes(element: ElementTree.Element, ids: Mapping[str, str]) -> dict[str, str]:
    given = {_local(key): value for key, value in element.attrib.items()}
    style = given.pop("style", "")
    target = given.pop("id", None)
    for declaration in filter(None, map(str.strip, style.split(";"))):
        key, _, value = declaration.partition(":")
        if (key, value.strip()) not in _DEFAULTS:
            given[key] = value.strip()
    result = {key: _value(key, value, ids) for key, value in given.items()}
    if target is not None and target in ids:
        result["id"] = ids[target]
    return result


def _value(key: str, value: str, ids: Mapping[str, str]) -> str:
    if key in ("fill", "stroke") and value in _VARIABLES:
        return f"var({_VARIABLES[value]})"
    if key == "href":
        return f"#{ids[value.removeprefix('#')]}"
    value = _REFERENCE.sub(lambda match: f"url(#{ids[match[1]]})", value)
    return _LONG_NUMBER.sub(lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), value)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def text_width(text: str) -> float:
    """Return roughly how wide a text is, in units of its font size."""
    return sum(1.0 if unicodedata.east_asian_width(sign) in "WF" else 0.56 for sign in text)


@functools.cache
def _renderer_class() -> Any:
    from matplotlib.backends.backend_svg import RendererSVG
    from matplotlib.colors import rgb2hex

    class Renderer(RendererSVG):
        """Writes text as text, whatever rcParams say, in the font that the page has."""

        def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> Any:
            """Estimate: the font is the reader's, which nobody here can measure."""
            size = prop.get_size_in_points()
            return text_width(s) * size, 0.95 * size, 0.21 * size

        def draw_text(
            self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
            ismath: Any = False, mtext: Any = None,
        ) -> None:  # fmt: skip
            """Anchor the text where it was put, so that its true width does not matter."""
            anchor = "start"
            if mtext is not None:
                s, anchor = mtext.get_text(), _ANCHORS[mtext.get_horizontalalignment()]
                at_x, at_y = mtext.get_transform().transform(mtext.get_unitless_position())
                at_y = self.height - at_y
                down_x, down_y = math.sin(math.radians(angle)), math.cos(math.radians(angle))
                shift = down_x * (x - at_x) + down_y * (y - at_y)
                x, y = at_x + shift * down_x, at_y + shift * down_y
            attributes = {
                "x": f"{x:.2f}",
                "y": f"{y:.2f}",
                "text-anchor": anchor,
                "font-size": f"{prop.get_size_in_points():g}",
                "fill": rgb2hex(gc.get_rgb()),
            }
            if angle:
                attributes["transform"] = f"rotate({-angle:g} {x:.2f} {y:.2f})"
            self.writer.element("text", s, attrib=attributes)  # type: ignore[no-untyped-call]

        def draw_tex(self, *args: Any, **kwargs: Any) -> None:
            """There is no TeX here: dollars are dollars."""
            self.draw_text(*args, **kwargs)

    return Renderer


_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
