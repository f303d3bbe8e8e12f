"""The checks of the labels before training: rare labels, absent labels, and labels in every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from clx.ml.results.data_check import EVAL, TRAIN, Finding, LabelSet, joined
from clx.problems import MAX_EXAMPLES, cell


def label_findings(
    rows: int,
    counts: Mapping[str, float],
    in_eval: Mapping[str, float],
    label_names: Iterable[str] | None,
    least: int,
) -> list[Finding]:
    """Return the findings about the labels.

    Args:
        rows: the number of training rows.
        counts: the number of training rows per label, for soft labels the expected number.
        in_eval: the number of eval rows per label, empty if there are none.
        label_names: the label space; None for the labels that occur.
        least: a label with fewer training rows is rare.
    """
    space = list(label_names) if label_names is not None else sorted({*counts, *in_eval})
    rare = {name: counts[name] for name in space if 0 < counts.get(name, 0) < least}
    rare = dict(sorted(rare.items(), key=lambda item: item[1]))
    absent = {name: 0 for name in space if not counts.get(name) and not in_eval.get(name)}
    unseen = {name: in_eval[name] for name in space if not counts.get(name) and in_eval.get(name)}
    constant = {name: rows for name in space if rows > 1 and counts.get(name) == rows}
    return [
        *_about_labels(
            "rare_labels",
            TRAIN,
            rare,
            f"{len(rare)} of {len(space)} labels have fewer than {least} rows",
            "A model learns little about them: add rows, or merge or drop these labels",
        ),
        *_about_labels(
            "labels_without_rows",
            TRAIN,
            absent,
            f"{len(absent)} of {len(space)} labels have no rows",
            "A model cannot learn them: add rows, or remove them from label_names",
        ),
        *_about_labels(
            "labels_only_in_eval",
            EVAL,
            unseen,
            f"{len(unseen)} of {len(space)} labels have rows here, but none in train_data",
            "A model cannot learn them: split the data so that each label is in both parts",
        ),
        *_about_labels(
            "labels_in_every_row",
            TRAIN,
            constant,
            f"{len(constant)} of {len(space)} labels occur in all {rows} rows",
            "A model cannot learn when they do not apply: add rows without these labels, or drop them",
        ),
    ]


def not_evaluated(train: Sequence[LabelSet], evaluated: Sequence[LabelSet]) -> list[Finding]:
    """Return the finding about labels that a split left without eval rows.

    Args:
        train: the label names of each training row, shape (rows,).
        evaluated: the label names of each eval row.
    """
    counts = Counter(name for labels in train for name in labels)
    in_eval = {name for labels in evaluated for name in labels}
    lacking = {name: counts[name] for name in sorted(counts) if name not in in_eval}
    return _about_labels(
        "labels_not_evaluated",
        EVAL,
        dict(sorted(lacking.items(), key=lambda item: item[1])),
        f"{len(lacking)} of {len({*counts, *in_eval})} labels have all their rows in train_data",
        "Metrics say nothing about them: add rows of these labels, or set more rows aside",
    )


def _about_labels(
    kind: str, where: str, counts: Mapping[str, float], what: str, remedy: str
) -> list[Finding]:
    """Return a list with one finding about the labels in ``counts``, or an empty list."""
    if not counts:
        return []
    parts = [
        f"{cell(name)} ({count} row{'' if count == 1 else 's'})"
        for name, count in list(counts.items())[:MAX_EXAMPLES]
    ]
    message = f"{where}: {what}: {joined(parts, len(counts))}. {remedy}."
    return [Finding(kind, where, message, len(counts), (), tuple(parts), remedy=f"{remedy}.")]
