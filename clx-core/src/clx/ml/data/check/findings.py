"""The checks of the data before training. They warn and change nothing.

:func:`check_data` takes plain values (texts, label names, index labels, token counts), so that any task
can use it. Data that is not in a task's format is an error, raised before these checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from clx.ml.data.check.label_checks import label_findings, not_evaluated
from clx.ml.data.check.label_names import joined_label_findings, similar_label_findings
from clx.ml.data.check.labeled_texts import LabeledTexts, Rule, TextIndex
from clx.ml.data.check.near_duplicates import near_duplicates
from clx.ml.results.data_check import EVAL, KINDS, TRAIN, DataCheck, Finding, joined
from clx.problems import MAX_EXAMPLES, cell
from clx_runtime.windows import READ_WHOLE

MIN_ROWS_PER_LABEL = 5
"""Labels with fewer rows are reported: five-fold cross-validation cannot put one row in each fold."""

SIMILARITY = 0.8
"""Texts that are at least this similar are near duplicates: one word in fifteen may differ."""

EMPTY = Rule(
    "empty_texts",
    "the text is empty or blank",
    "A model learns nothing from them: remove these rows",
)
CONFLICTING = Rule(
    "conflicting_labels",
    "the same text has different labels",
    "Decide which labels are right and correct the others, or remove the rows",
)
CONFLICTING_WITH_TRAIN = replace(CONFLICTING, what="the text has other labels in train_data")
REPEATED = Rule(
    "duplicate_rows",
    "the text and labels of an earlier row are repeated",
    "They count more than other rows: remove them",
)
LEAKED = Rule(
    "leaked_texts",
    "the text is also in train_data",
    "Metrics will look too good: remove these rows from one of the two",
)
NEARLY_LEAKED = Rule(
    "nearly_leaked_texts", "the text is almost the same as one in train_data", LEAKED.remedy
)


def check_data(
    train: LabeledTexts,
    eval: LabeledTexts | None = None,
    *,
    label_names: Iterable[str] | None = None,
    limit: int | None = None,
    min_rows_per_label: int = MIN_ROWS_PER_LABEL,
    similarity: float = SIMILARITY,
    is_split: bool = False,
    train_counts: Mapping[str, int] | None = None,
    train_rows: int | None = None,
    columns: Sequence[str] = (),
) -> DataCheck:
    """Return the findings about the training data and, if given, the eval data.

    Args:
        train: the rows to train on.
        eval: the rows to evaluate on.
        label_names: the label space; None for the labels that occur.
        limit: the most tokens that the model reads, None if texts are not truncated.
        min_rows_per_label: labels with fewer training rows are reported.
        similarity: how similar (0 to 1) an eval text must be to a training text to be reported as its
            near duplicate; see :mod:`clx.ml.data.check.near_duplicates`.
        is_split: whether clx split ``eval`` from ``train``; if so, labels without eval rows are
            reported.
        train_counts: the number of rows per label, if ``train`` is a sample of more rows.
        train_rows: the number of these rows.
        columns: the names of the columns of texts and labels in the user's data, if they are known.
    """
    label_names = None if label_names is None else list(label_names)
    trained = TextIndex(TRAIN, train)
    evaluated = None if eval is None else TextIndex(EVAL, eval)
    splits = [trained] if evaluated is None else [trained, evaluated]
    findings: list[Finding] = []
    for split in splits:
        findings += [*_empty(split), *_conflicts(split), *_repeated(split, columns)]
        findings += _truncated(split, limit)
    if evaluated is not None:
        findings += _conflicts_with_train(trained, evaluated)
        findings += _leaks(trained, evaluated, similarity)
    if trained.labels is not None:
        in_eval = None if evaluated is None else evaluated.labels
        in_eval_counts = {} if evaluated is None else evaluated.counts
        rows, counted = len(trained.labels), trained.counts
        if train_counts is not None:
            rows, counted = train_rows or 0, train_counts
        findings += label_findings(rows, counted, in_eval_counts, label_names, min_rows_per_label)
        findings += similar_label_findings(trained.labels, in_eval or (), label_names)
        given = () if train.labels is None else train.labels
        is_list = any(not isinstance(labels, str) for labels in given)
        findings += joined_label_findings(trained.labels, is_list)
        if is_split and in_eval is not None:
            findings += not_evaluated(trained.labels, in_eval)
    order = list(KINDS)
    counts = {split.name: split.label_counts(label_names) for split in splits if split.labels}
    if train_counts is not None:
        space = sorted(train_counts) if label_names is None else label_names
        counts[TRAIN] = {name: train_counts.get(name, 0) for name in space}
    return DataCheck(
        tuple(sorted(findings, key=lambda finding: order.index(finding.kind))),
        {split.name: len(split.texts) for split in splits},
        counts,
    )


def _empty(split: TextIndex) -> list[Finding]:
    shown = [split.row(position) for position in split.blank[:MAX_EXAMPLES]]
    return split.findings(EMPTY, split.blank, shown)


def _conflicts(split: TextIndex) -> list[Finding]:
    repeated = [text for text, positions in split.positions.items() if len(positions) > 1]
    texts = [text for text in repeated if len(split.label_sets(text)) > 1]
    shown = []
    for text in texts[:MAX_EXAMPLES]:
        rows = [split.labeled_row(position) for position in sorted(split.label_sets(text).values())]
        shown.append(f"{cell(text)} ({joined(rows[:MAX_EXAMPLES], len(rows))})")
    positions = sorted(position for text in texts for position in split.positions[text])
    return split.findings(CONFLICTING, positions, shown, len(texts))


def _conflicts_with_train(train: TextIndex, evaluated: TextIndex) -> list[Finding]:
    in_train: dict[int, int] = {}
    for text, positions in evaluated.positions.items():
        known = train.label_sets(text)
        if known and evaluated.labels is not None:
            first = min(known.values())
            in_train |= {i: first for i in positions if evaluated.labels[i] not in known}
    positions = sorted(in_train)
    shown = [
        f"{cell(evaluated.texts[i])} ({evaluated.labeled_row(i)}, "
        f"train_data {train.labeled_row(in_train[i])})"
        for i in positions[:MAX_EXAMPLES]
    ]
    return evaluated.findings(CONFLICTING_WITH_TRAIN, positions, shown)


def _repeated(split: TextIndex, columns: Sequence[str]) -> list[Finding]:
    rule = REPEATED
    if columns:
        how = f"data[~data.astype(str).duplicated({list(columns)!r})]"
        rule = replace(rule, remedy=f"{rule.remedy}, such as with {how}")
    original_of: dict[int, int] = {}
    for text, positions in split.positions.items():
        if len(positions) > 1:
            originals = split.same_labels(text)
            for position in positions:
                original = originals[split.labels_key(position)]
                if original != position:
                    original_of[position] = original
    positions = sorted(original_of)
    shown = [
        f"{split.row(i)} repeats {split.row(original_of[i])} ({cell(split.texts[i])})"
        for i in positions[:MAX_EXAMPLES]
    ]
    return split.findings(rule, positions, shown)


def _leaks(train: TextIndex, evaluated: TextIndex, similarity: float) -> list[Finding]:
    leaked: list[int] = []
    others: list[int] = []
    for text, positions in evaluated.positions.items():
        (leaked if text in train.positions else others).extend(positions)
    leaked.sort()
    others.sort()
    shown = [
        f"{cell(evaluated.texts[i])} ({evaluated.row(i)}, "
        f"train_data {train.row(train.positions[evaluated.texts[i]][0])})"
        for i in leaked[:MAX_EXAMPLES]
    ]
    pairs = near_duplicates(train.texts, [evaluated.texts[i] for i in others], similarity)
    near = [others[position] for position in pairs["position_b"]]
    near_shown = [
        f"{cell(evaluated.texts[i])} ({evaluated.row(i)}) and {cell(train.texts[original])} "
        f"(train_data {train.row(original)})"
        for i, original in zip(near[:MAX_EXAMPLES], pairs["position_a"], strict=False)
    ]
    return [
        *evaluated.findings(LEAKED, leaked, shown),
        *evaluated.findings(NEARLY_LEAKED, near, near_shown),
    ]


def _truncated(split: TextIndex, limit: int | None) -> list[Finding]:
    lengths = split.lengths
    if lengths is None or limit is None:
        return []
    cut = sorted((i for i, size in enumerate(lengths) if size > limit), key=lambda i: -lengths[i])
    lost = sum(lengths[position] - limit for position in cut) / max(1, sum(lengths))
    share = "less than 0.1 %" if lost < 0.001 else f"{100 * lost:.1f} %"
    rule = Rule(
        "truncated_texts",
        f"the text is longer than {limit} tokens",
        f"They are truncated, which loses {share} of all tokens: "
        f"tokenize_args={{'max_length': …}} sets the limit, up to the model's maximum. "
        f"{READ_WHOLE}",
    )
    shown = [
        f"{split.row(position)} ({lengths[position]} tokens)" for position in cut[:MAX_EXAMPLES]
    ]
    return split.findings(rule, cut, shown)
