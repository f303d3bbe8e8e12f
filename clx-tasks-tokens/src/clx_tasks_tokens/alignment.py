"""Spans whose ends are not ends of words: the model learns and predicts whole words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data import RowFinding
from clx.problems import cell
from clx_tasks_tokens.encoding import Reading, Spans, read_windows, unit_spans
from clx_tasks_tokens.units import Unit

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 1000
MOSTLY = 0.8
"""The share of texts without spans above which they are reported."""


def span_findings(tokenizer: Any, data: pd.DataFrame, reading: Reading) -> list[RowFinding]:
    """Return what is odd about the spans of validated rows."""
    texts, spans = data["text"].tolist(), data["spans"].tolist()
    return [*_misaligned(tokenizer, texts, spans, reading), *_without_spans(spans)]


def _misaligned(
    tokenizer: Any, texts: list[str], spans: list[Spans], reading: Reading
) -> list[RowFinding]:
    having = [row for row, own in enumerate(spans) if len(own)]
    positions, said = [], []
    for start in range(0, len(having), CHUNK_ROWS):
        some = having[start : start + CHUNK_ROWS]
        windows = read_windows(tokenizer, [texts[row] for row in some], reading)
        for row, units in zip(some, windows.units, strict=True):
            found = _first_misaligned(texts[row], spans[row], units)
            if found is not None:
                positions.append(row)
                said.append(found)
    if not positions:
        return []
    return [
        RowFinding(
            "misaligned_spans",
            "a span does not begin and end with a word",
            "The model learns whole words, as shown: correct start and end, such as blanks at the ends",
            positions,
            said,
        )
    ]


def _first_misaligned(text: str, spans: Spans, units: Sequence[Unit]) -> str | None:
    """Return what is wrong with the first span whose ends are not those of its words."""
    of_unit = unit_spans(units, spans)
    for span in sorted(spans, key=lambda span: span["start"]):
        own = [unit for unit, of in zip(units, of_unit, strict=True) if of is span]
        given = text[span["start"] : span["end"]]
        if not own:
            return f"{cell(given)} has no word of its own"
        start, end = own[0].start, own[-1].end
        if (start, end) != (span["start"], span["end"]):
            return f"{cell(given)} is read as {cell(text[start:end])}"
    return None


def _without_spans(spans: list[Spans]) -> list[RowFinding]:
    positions = [row for row, own in enumerate(spans) if not len(own)]
    if len(positions) <= MOSTLY * len(spans):
        return []
    return [
        RowFinding(
            "texts_without_spans",
            "the text has no span",
            "If they were not annotated, remove these rows: the model learns that they have none",
            positions,
        )
    ]
