"""What can be wrong with the cells of columns of spans, words and tags."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.label_cells import listed, printed_list
from clx.ml.data.problems import row_problems
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    import pandas as pd


PREFIXES = ("B", "I", "L", "E", "U", "S")
"""The word of a tag is the first, a later, the last (L, E), or the only one (U, S) of a span."""


def spans_in_cell(value: Any) -> Any:
    """Return what :func:`clx.ml.spans.span_list` returns."""
    cells = value
    if isinstance(value, str):
        cells = printed_list(value)
        if cells is None:
            with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                cells = ast.literal_eval(value.strip())
    spans = listed(cells)
    if spans is None:
        return value
    keys = ("start", "end", "label")
    triples = [isinstance(span, list | tuple) and len(span) == 3 for span in spans]
    if cells is value and not any(triples):
        return value
    return [
        dict(zip(keys, span, strict=True)) if is_triple else span
        for span, is_triple in zip(spans, triples, strict=True)
    ]


def list_cell(value: Any) -> Any:
    """Return a cell with a list that was written as text as the list, any other cell unchanged."""
    items = printed_list(value) if isinstance(value, str) else None
    return value if items is None else items


def problems_by_row(data: pd.DataFrame, wrong: Sequence[set[str]], where: str) -> list[str]:
    """Return one message per distinct problem, with its rows; ``wrong`` has the problems per row."""
    return [
        problem
        for what in dict.fromkeys(what for row in wrong for what in sorted(row))
        for problem in row_problems(data, [what in row for row in wrong], f"{where}: {what}")
    ]


def wrong_spans(text: str, spans: Any, label_names: Sequence[str] | None) -> set[str]:
    """Return the problems of the spans of one text."""
    if not _is_list(spans):
        return {"not a list of spans"}
    wrong, end = set(), 0
    if not all(isinstance(s, Mapping) and {"start", "end", "label"} <= set(s) for s in spans):
        return {"a span is not a dict with start, end and label"}
    if not all(_is_whole(s["start"]) and _is_whole(s["end"]) for s in spans):
        return {"start and end of a span must be whole numbers"}
    for span in sorted(spans, key=lambda span: span["start"]):
        if not 0 <= span["start"] < span["end"] <= len(text):
            wrong.add("a span is not within its text")
        if max(span["start"], 0) < end:
            wrong.add("spans overlap")
        end = span["end"]
        label = span["label"]
        if not isinstance(label, str) or not label:
            wrong.add(f"the label {cell(label)} is not a name")
        elif label_names is not None and label not in label_names:
            wrong.add(
                f"the label {label!r} is not one of {names(label_names)}"
                f"{did_you_mean(label, label_names)}"
            )
    return wrong


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def wrong_words(words: Any) -> set[str]:
    """Return the problems of the words of one row."""
    if not _is_list(words):
        return {"not a list of words"}
    wrong = {
        f"the word {cell(word)} is not a string" for word in words if not isinstance(word, str)
    }
    blank = any(isinstance(word, str) and not word.strip() for word in words)
    return wrong | ({"a word is empty or blank"} if blank else set())


def wrong_tags(words: Any, tags: Any) -> set[str]:
    """Return the problems of the tags of one row."""
    if not _is_list(tags):
        return {"not a list of tags"}
    wrong = {
        f"the tag {cell(tag)} is not 'O', 'B-…' or 'I-…' (or 'L-…', 'U-…', 'E-…', 'S-…')"
        for tag in tags
        if not _is_tag(tag)
    }
    if _is_list(words) and len(words) != len(tags):
        wrong.add("the numbers of words and tags differ")
    return wrong


def _is_tag(tag: Any) -> bool:
    if not isinstance(tag, str):
        return False
    return tag == "O" or (tag[:1] in PREFIXES and tag[1:2] == "-" and len(tag) > 2)
