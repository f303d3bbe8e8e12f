"""The checks of label names: names that look alike, and names that look like several labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from clx.ml.data.similar_names import SEPARATORS, pieces_of, separator_of, shown_name, similar_names
from clx.ml.results.data_check import EVAL, TRAIN, Finding, LabelSet, joined
from clx.problems import MAX_EXAMPLES, cell


def similar_label_findings(
    train: Sequence[LabelSet], evaluated: Sequence[LabelSet], label_names: Iterable[str] | None
) -> list[Finding]:
    """Return the finding about labels that differ only in case, Unicode form, or invisible characters.

    It is about ``eval_data`` if the labels look alike only there.
    """
    counts, in_eval = _counts(train), _counts(evaluated)
    space = [*(label_names or ()), *sorted(counts), *sorted(in_eval)]
    groups = similar_names(space)
    if not groups:
        return []
    in_train = set(label_names or ()) | set(counts)
    where = TRAIN if any(len(in_train & set(group)) > 1 for group in groups) else EVAL
    totals = counts + in_eval
    parts = [
        " and ".join(f"{shown_name(name, group)} ({_rows(totals[name])})" for name in group)
        for group in groups[:MAX_EXAMPLES]
    ]
    count = sum(len(group) for group in groups)
    remedy = "If they mean the same, write them the same way."
    message = (
        f"{where}: {count} of {len(set(space))} labels differ from another one only in case, Unicode "
        f"form, or invisible characters: {joined(parts, len(groups))}. {remedy}"
    )
    return [Finding("similar_labels", where, message, count, (), tuple(parts), remedy=remedy)]


def joined_label_findings(train: Sequence[LabelSet], is_list: bool) -> list[Finding]:
    """Return the finding about labels that probably join several labels with a separator.

    Either all their parts are labels too, or rows may have several labels and no row has.

    Args:
        train: the label names of each training row, shape (rows,).
        is_list: whether a row may have several labels.
    """
    counts = _counts(train)
    found = {
        name: separator for name in sorted(counts) if (separator := separator_of(name, counts))
    }
    if not found and is_list and all(len(labels) < 2 for labels in train):
        found = {
            name: separator
            for name in sorted(counts)
            for separator in SEPARATORS
            if len(pieces_of(name, separator)) > 1
        }
    if not found:
        return []
    parts = [f"{cell(name)} ({_rows(counts[name])})" for name in list(found)[:MAX_EXAMPLES]]
    separator = next(iter(found.values()))
    remedy = (
        f"If they are, split them: label_separator={separator!r} of multi-label-classification "
        f"splits the cells of a file."
    )
    message = (
        f"{TRAIN}: {len(found)} of {len(counts)} labels look like several labels: "
        f"{joined(parts, len(found))}. {remedy}"
    )
    return [Finding("joined_labels", TRAIN, message, len(found), (), tuple(parts), remedy=remedy)]


def _counts(rows: Sequence[LabelSet]) -> Counter[str]:
    return Counter(name for labels in rows for name in labels)


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
