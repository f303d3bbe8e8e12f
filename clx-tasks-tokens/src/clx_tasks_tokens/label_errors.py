"""Spans that look wrong in the data, by the predictions of models that were not trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clx_tasks_tokens.evaluating import key_of, overlaps

if TYPE_CHECKING:
    import pandas as pd

SURE = 0.5
"""A predicted span counts against the data if its score is at least this."""

COLUMNS = ["text", "kind", "start", "end", "given", "suggested", "score"]


def suspicious_spans(examples: pd.DataFrame, top: int | None) -> pd.DataFrame:
    """Return one row per suspicious span, the most suspicious first.

    ``kind`` is ``missing`` (the data lacks a span), ``extra`` (nothing is predicted where the data has
    one), ``label`` (the label differs), or ``boundary`` (an end differs). ``given`` and
    ``suggested`` are labels, or None where there is no span; ``start`` and ``end`` are those of the
    suggestion, or of the given span. ``score`` is how probable the given label is there, from 0 to 1: a
    low score is suspicious.

    Args:
        examples: the rows of a cross-validation.
        top: the most rows to return, None for all.
    """
    import pandas as pd

    found: list[tuple[Any, dict[str, Any]]] = []
    for index, row in zip(examples.index, examples.to_dict("records"), strict=True):
        text = row.get("text")
        for error in _errors(row["given"], row["predicted"]):
            found.append((index, {"text": text, **error}))
    found.sort(key=lambda item: item[1]["score"])
    found = found if top is None else found[:top]
    frame = pd.DataFrame([error for _, error in found], columns=COLUMNS)
    frame.index = pd.Index([index for index, _ in found], name=examples.index.name)
    return frame


def _errors(
    given: Sequence[Mapping[str, Any]], predicted: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the suspicious spans of a text."""
    expected = {key_of(span) for span in given}
    errors, doubted = [], set()
    for span in predicted:
        if key_of(span) in expected or span["score"] < SURE:
            continue
        there = [other for other in given if overlaps(span, other)]
        doubted |= {key_of(other) for other in there}
        same_place = [o for o in there if (o["start"], o["end"]) == (span["start"], span["end"])]
        other = next(iter(same_place or there), None)
        if other is None:
            kind = "missing"
        elif other["label"] == span["label"]:
            kind = "boundary"
        else:
            kind = "label"
        score = 1 - span["score"] if other is None or kind == "boundary" else other["score"]
        errors.append(_error(kind, span, other, span, score))
    for span in given:
        is_found = key_of(span) in doubted or any(overlaps(span, other) for other in predicted)
        if not is_found and span["score"] < SURE:
            errors.append(_error("extra", span, span, None, span["score"]))
    return errors


def _error(
    kind: str,
    place: Mapping[str, Any],
    given: Mapping[str, Any] | None,
    suggested: Mapping[str, Any] | None,
    score: float,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "start": place["start"],
        "end": place["end"],
        "given": None if given is None else given["label"],
        "suggested": None if suggested is None else suggested["label"],
        "score": round(float(score), 6),
    }
