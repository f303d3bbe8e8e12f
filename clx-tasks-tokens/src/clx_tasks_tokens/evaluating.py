"""From the output of an evaluation to texts with expected and predicted spans, and to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.metrics import ratio
from clx.ml.spans import IGNORED, tagged_spans
from clx_tasks_tokens.decoding import (
    Scored,
    candidates,
    kept,
    label_probabilities,
    limit_of,
    scored_units,
)
from clx_tasks_tokens.thresholds import MIN_SPANS, Ranked, best_limit, ranked

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from transformers import EvalPrediction

    Array = np.ndarray[Any, Any]

Span = dict[str, Any]

NOTHING = "(no span)"
"""The row and column of the confusion table for spans without a counterpart."""


@dataclass(frozen=True)
class Text:
    """A text of an evaluation.

    Attributes:
        expected: the spans of the data, each with the mean probability of its label as ``score``.
        candidates: the spans that the text may have; see :func:`clx_tasks_tokens.decoding.candidates`.
        tags: the expected tag of each unit.
        scored: the units and their scores.
    """

    expected: list[Span]
    candidates: list[Span]
    tags: list[str]
    scored: Scored


def key_of(span: Mapping[str, Any]) -> tuple[int, int, str]:
    """Return what makes two spans the same: both ends and the label."""
    return span["start"], span["end"], span["label"]


def evaluated_texts(
    eval_pred: EvalPrediction, label_names: Sequence[str], labels: Sequence[str], strategy: str
) -> list[Text]:
    """Return the texts of an evaluation, in order; the windows of a text are one again.

    Args:
        eval_pred: logits of shape (windows, tokens, tags), and label ids with places; see
            :mod:`clx_tasks_tokens.trainer`.
        label_names: the labels of spans.
        labels: the tag of each id.
        strategy: see :func:`clx_tasks_tokens.decoding.scored_units`.
    """
    import numpy as np

    logits, ids = np.asarray(eval_pred.predictions), np.asarray(eval_pred.label_ids)
    begins = np.flatnonzero(ids[:, 0, 3] == 0)
    texts = []
    for first, behind in zip(begins, [*begins[1:], len(ids)], strict=True):
        counts = ids[first:behind, :, 0] != IGNORED
        tags, starts, ends, _ = ids[first:behind][counts].T
        # In the order of the text: a later window owns only later units.
        scored = scored_units(logits[first:behind][counts], starts, ends, strategy)
        own = [labels[i] for i in tags[np.flatnonzero(np.diff(starts, prepend=-1))]]
        found = candidates(scored, label_names)
        texts.append(Text(_expected(own, scored, label_names), found, own, scored))
    return texts


def _expected(tags: Sequence[str], scored: Scored, label_names: Sequence[str]) -> list[Span]:
    of_label = label_probabilities(scored)
    ids = {name: number for number, name in enumerate(label_names)}
    return [
        {
            "start": int(scored.starts[first]),
            "end": int(scored.ends[behind - 1]),
            "label": label,
            "score": float(of_label[first:behind, ids[label]].mean()),
        }
        for label, first, behind in sorted(tagged_spans(tags), key=lambda span: span[1])
    ]


def predicted_tags(text: Text, spans: Sequence[Span]) -> list[str]:
    """Return the tag of each unit of a text for predicted spans."""
    tags, starts = ["O"] * len(text.tags), text.scored.starts.tolist()
    for span in spans:
        for unit, start in enumerate(starts):
            if span["start"] <= start < span["end"]:
                tags[unit] = f"{'B' if start == span['start'] else 'I'}-{span['label']}"
    return tags


def counted(
    texts: Sequence[Text], label_names: Sequence[str], thresholds: Any
) -> tuple[Array, Array, Array]:
    """Return the right, the predicted and the expected spans, each of shape (texts, labels)."""
    import numpy as np

    ids = {name: number for number, name in enumerate(label_names)}
    counts = np.zeros((3, len(texts), len(label_names)))
    for row, text in enumerate(texts):
        expected = {key_of(span) for span in text.expected}
        for span in kept(text.candidates, thresholds):
            counts[1, row, ids[span["label"]]] += 1
            counts[0, row, ids[span["label"]]] += key_of(span) in expected
        for span in text.expected:
            counts[2, row, ids[span["label"]]] += 1
    return counts[0], counts[1], counts[2]


def tables(
    texts: Sequence[Text], label_names: Sequence[str], thresholds: Any
) -> dict[str, pd.DataFrame]:
    """Return ``per_label``, with the kinds of errors, and ``confusion``.

    An expected span that is not found has a wrong boundary, if a predicted span of its label overlaps
    it, or else a wrong label, if one of another label does, or else it is missed. A predicted span that
    overlaps no expected one is spurious.
    """
    import numpy as np
    import pandas as pd

    ids = {name: number for number, name in enumerate(label_names)}
    labels = len(label_names)
    kinds = np.zeros((labels, 4), dtype=int)
    confusion = np.zeros((labels + 1, labels + 1), dtype=int)
    for text in texts:
        found = kept(text.candidates, thresholds)
        right = {key_of(s) for s in text.expected} & {key_of(s) for s in found}
        for span in text.expected:
            own = ids[span["label"]]
            if key_of(span) in right:
                confusion[own, own] += 1
                continue
            others = [s["label"] for s in found if overlaps(s, span)]
            kind = 0 if span["label"] in others else 1 if others else 2
            kinds[own, kind] += 1
            other = own if kind == 0 else ids[others[0]] if others else labels
            confusion[own, other] += 1
        for span in found:
            if not any(overlaps(span, s) for s in text.expected):
                kinds[ids[span["label"]], 3] += 1
                confusion[labels, ids[span["label"]]] += 1
    hits, predicted, expected = (
        part.sum(axis=0) for part in counted(texts, label_names, thresholds)
    )
    columns: dict[str, Any] = {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, expected),
        "f1": ratio(2 * hits, predicted + expected),
        "spans": expected.astype(int),
    }
    names = ("wrong_boundary", "wrong_label", "missed", "spurious")
    columns |= {name: kinds[:, at] for at, name in enumerate(names)}
    columns["threshold"] = [limit_of(name, thresholds) for name in label_names]
    index = pd.Index(label_names, name="label")
    both = [*label_names, NOTHING]
    return {
        "per_label": pd.DataFrame(columns, index=index),
        "confusion": pd.DataFrame(confusion, index=pd.Index(both, name="label"), columns=both),
    }


def overlaps(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two spans have a character in common."""
    return bool(one["start"] < other["end"] and other["start"] < one["end"])


def ranked_by_label(texts: Sequence[Text], label_names: Sequence[str]) -> dict[str, Ranked]:
    """Return the results of each threshold of each label."""
    scores: dict[str, list[float]] = {name: [] for name in label_names}
    right: dict[str, list[bool]] = {name: [] for name in label_names}
    spans = dict.fromkeys(label_names, 0)
    for text in texts:
        expected = {key_of(span) for span in text.expected}
        for span in text.candidates:
            scores[span["label"]].append(span["score"])
            right[span["label"]].append(key_of(span) in expected)
        for span in text.expected:
            spans[span["label"]] += 1
    return {name: ranked(scores[name], right[name], spans[name]) for name in label_names}


def ranked_together(texts: Sequence[Text]) -> Ranked:
    """Return the results of one threshold for all labels."""
    scores, right, spans = [], [], 0
    for text in texts:
        expected = {key_of(span) for span in text.expected}
        spans += len(expected)
        for span in text.candidates:
            scores.append(span["score"])
            right.append(key_of(span) in expected)
    return ranked(scores, right, spans)


def chosen_thresholds(
    texts: Sequence[Text], label_names: Sequence[str], objective: str, target: float | None
) -> tuple[dict[str, float] | None, list[str]]:
    """Return a threshold for each label, and the labels that share one.

    A label with fewer than :data:`MIN_SPANS` spans, or that no threshold brings to the target, takes
    the threshold of all labels together. Thresholds are None if no label has a right span.
    """
    together = ranked_together(texts)
    shared = best_limit(together, objective, target)
    if shared is None:
        shared = best_limit(together, "f1", None)
    if shared is None:
        return None, []
    limits, sharing = {}, []
    for name, counts in ranked_by_label(texts, label_names).items():
        own = best_limit(counts, objective, target) if counts.spans >= MIN_SPANS else None
        limits[name] = shared if own is None else own
        if own is None:
            sharing.append(name)
    return limits, sharing


def rows(texts: Sequence[Text], thresholds: Any) -> pd.DataFrame:
    """Return one row per text; a prediction is correct if all its spans are.

    ``score`` is the certainty of the worst error, or of the least certain span; ``given_score`` the
    probability of the least probable expected span. For a text without spans it is the probability that
    it has none.
    """
    import pandas as pd

    lines = []
    for text in texts:
        found = kept(text.candidates, thresholds)
        expected = {key_of(span) for span in text.expected}
        wrong = [span["score"] for span in found if key_of(span) not in expected]
        missed = [1 - s["score"] for s in text.expected if not any(overlaps(s, f) for f in found)]
        none = float(text.scored.probabilities[:, 0].min(initial=1.0))
        lines.append(
            {
                "given": text.expected,
                "predicted": found,
                "score": max(
                    [*wrong, *missed], default=min([s["score"] for s in found], default=none)
                ),
                "given_score": min([span["score"] for span in text.expected], default=none),
                "correct": {key_of(span) for span in found} == expected,
            }
        )
    return pd.DataFrame(lines, columns=["given", "predicted", "score", "given_score", "correct"])
