"""From the scores of units to spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FLOOR = 0.05
"""The lowest probability of a unit in a span that only a low threshold accepts."""

STRATEGIES = ("first", "average", "max")


@dataclass(frozen=True)
class Scored:
    """The units of a text with their scores.

    Attributes:
        starts: shape (units,).
        ends: shape (units,).
        probabilities: of ``O``, and ``B-`` and ``I-`` of each label, shape (units, 2 · labels + 1).
    """

    starts: Array
    ends: Array
    probabilities: Array


def softmax(logits: Any) -> Array:
    """Return probabilities in float64, in the shape of the logits."""
    import numpy as np

    logits = np.asarray(logits, dtype=np.float64)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result


def scored_units(logits: Any, starts: Any, ends: Any, strategy: str) -> Scored:
    """Return the units of a text from the tokens that count, in the order of the text.

    Args:
        logits: shape (tokens, tags).
        starts: the first character of each token's unit, shape (tokens,).
        ends: the character after it, shape (tokens,).
        strategy: how the tokens of a unit become its scores, one of :data:`STRATEGIES`.
    """
    import numpy as np

    starts, ends = np.asarray(starts), np.asarray(ends)
    probabilities = softmax(logits)
    first = np.flatnonzero(np.diff(starts, prepend=-1))
    if len(first) < len(starts):
        if strategy == "average":
            sizes = np.diff(np.append(first, len(starts)))
            probabilities = np.add.reduceat(probabilities, first) / sizes[:, None]
        elif strategy == "max":
            parts = np.split(probabilities, first[1:])
            probabilities = np.stack([part[part.max(axis=1).argmax()] for part in parts])
        else:
            probabilities = probabilities[first]
    return Scored(starts[first], ends[first], probabilities)


def label_probabilities(scored: Scored) -> Array:
    """Return the probability of each label, of its first or a later unit, shape (units, labels)."""
    probabilities: Array = scored.probabilities[:, 1::2] + scored.probabilities[:, 2::2]
    return probabilities


def candidates(scored: Scored, label_names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the spans that a text may have, in order; they do not overlap.

    ``score`` is the mean probability of the label over the units of the span. ``best`` says whether the
    label is at least as probable as no label, ``O``, in each of them. Other candidates are for low
    thresholds.
    """
    if not len(scored.starts):
        return []
    of_label = label_probabilities(scored)
    label = of_label.argmax(axis=1)
    top = of_label.max(axis=1)
    best = top >= scored.probabilities[:, 0]
    begins = scored.probabilities[:, 1::2] > scored.probabilities[:, 2::2]
    spans: list[dict[str, Any]] = []
    previous: tuple[int, bool] | None = None
    for unit in range(len(label)):
        if top[unit] < FLOOR and not best[unit]:
            previous = None
            continue
        key = (int(label[unit]), bool(best[unit]))
        if key != previous or begins[unit, key[0]]:
            spans.append({"label": key[0], "best": key[1], "first": unit, "last": unit})
        else:
            spans[-1]["last"] = unit
        previous = key
    return [
        {
            "start": int(scored.starts[span["first"]]),
            "end": int(scored.ends[span["last"]]),
            "label": label_names[span["label"]],
            "score": float(of_label[span["first"] : span["last"] + 1, span["label"]].mean()),
            "best": span["best"],
        }
        for before, span, after in zip([None, *spans], spans, [*spans[1:], None], strict=False)
        if span["best"] or not (_is_end_of(before, span) or _is_end_of(after, span))
    ]


def _is_end_of(other: dict[str, Any] | None, span: dict[str, Any]) -> bool:
    """Return whether an uncertain span is the end of a certain one, not a span of its own."""
    if other is None or not other["best"] or other["label"] != span["label"]:
        return False
    return bool(other["last"] + 1 == span["first"] or span["last"] + 1 == other["first"])


def kept(
    spans: Sequence[Mapping[str, Any]], thresholds: Any, min_score: float | None = None
) -> list[dict[str, Any]]:
    """Return the candidates that thresholds accept, without ``best``.

    Args:
        spans: the result of :func:`candidates`.
        thresholds: one number, ``{label: number}``, or None. Without a threshold for its label, a span
            is accepted if its label is the most probable.
        min_score: a score that takes the place of all thresholds.
    """
    found = []
    for span in spans:
        limit = limit_of(span["label"], thresholds) if min_score is None else min_score
        if span["best"] if limit is None else span["score"] >= limit:
            found.append({name: value for name, value in span.items() if name != "best"})
    return found


def limit_of(label: str, thresholds: Any) -> float | None:
    """Return the threshold of a label, None if it has none."""
    if isinstance(thresholds, Mapping):
        value = thresholds.get(label)
        return None if value is None else float(value)
    return None if thresholds is None else float(thresholds)
