"""What can be wrong with the cells of columns of spans, words and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx.ml.data.problems import row_problems
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    import pandas as pd


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
    wrong = {f"the tag {cell(t)} is not 'O', 'B-…' or 'I-…'" for t in tags if not _is_tag(t)}
    if _is_list(words) and len(words) != len(tags):
        wrong.add("the numbers of words and tags differ")
    return wrong


def _is_tag(tag: Any) -> bool:
    return isinstance(tag, str) and (tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2))
