"""Diagrams of the site without a script from elsewhere: a flowchart as rows of boxes.

GitHub draws the flowchart with its arrows. mkdocs.yml names :func:`rows` for the site.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

BOX = re.compile(r'^ *(\w+)(?:\["<b>(.+?)</b><br/>(.*?)"\]|\(\["(.*?)"\]\))$', re.MULTILINE)
ARROW = re.compile(r"^ *(\w+) (?:-->|~~~) (\w+)$", re.MULTILINE)
ROW = "display:flex;flex-wrap:wrap;justify-content:center;gap:.4rem;margin:.4rem 0"
FRAME = (
    "border:1px solid var(--md-default-fg-color--lighter);border-radius:.2rem;padding:.1rem .6rem"
)


def levels(source: str) -> dict[str, int]:
    """Return how many arrows lead down from each box, on the longest way to the bottom."""
    found = {match[1]: 0 for match in BOX.finditer(source)}
    arrows = ARROW.findall(source)
    for _ in found:
        for above, below in arrows:
            found[above] = max(found[above], found[below] + 1)
    return found


def rows(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """Return a flowchart as HTML: the boxes of one level in one row, the highest level first.

    The arguments are those of a fence of ``pymdownx.superfences``.
    """
    level_of = levels(source)
    boxes: dict[int, list[str]] = {}
    for name, title, about, files in BOX.findall(source):
        text = f"<b>{escape(title)}</b><br>{escape(about)}" if title else escape(files)
        boxes.setdefault(level_of[name], []).append(f'<div style="{FRAME}">{text}</div>')
    lines = [
        f'<div style="{ROW}">{"".join(boxes[level])}</div>' for level in sorted(boxes, reverse=True)
    ]
    return f'<div class="{css_class}">{"".join(lines)}</div>'
