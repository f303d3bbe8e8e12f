"""Cells with spans of a text, as the text with the spans marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clx.ml.report.markup import cut, plain

if TYPE_CHECKING:
    import pandas as pd

AROUND = 40
"""The characters of a text that are shown before and after a span."""


def with_marked_spans(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of rows in which lists of spans are texts, such as ``[Ada: person] lives …``.

    A span is a dict with ``start``, ``end`` and ``label``, in characters of the column ``text``. Columns
    without spans are unchanged.
    """
    if "text" not in frame.columns:
        return frame
    marked = {}
    for name in frame.columns:
        cells = [plain(value) for value in frame[name]]
        lists = all(isinstance(cell, list) and all(map(_is_span, cell)) for cell in cells)
        if lists and any(cells):
            pairs = zip(frame["text"], cells, strict=True)
            marked[name] = [marked_text(str(text), spans) for text, spans in pairs]
    return frame.assign(**marked)


def _is_span(value: Any) -> bool:
    return isinstance(value, Mapping) and {"start", "end", "label"} <= set(value)


def marked_text(text: str, spans: list[Mapping[str, Any]]) -> str:
    """Return the parts of a text around its spans, with each span and its label in brackets."""
    if not spans:
        return "no span"
    parts, at = [], 0
    for span in sorted(spans, key=lambda span: span["start"]):
        before = text[at : span["start"]]
        if len(before) > 2 * AROUND:
            head = before[:AROUND].rstrip() if at else ""
            before = f"{head} … {before[-AROUND:].lstrip()}"
        own = cut(text[span["start"] : span["end"]], 2 * AROUND)
        parts.append(f"{before}[{own}: {span['label']}]")
        at = max(at, span["end"])
    rest = text[at:]
    parts.append(rest if len(rest) <= 2 * AROUND else f"{rest[:AROUND].rstrip()} …")
    return "".join(parts)
