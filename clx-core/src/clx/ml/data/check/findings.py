"""What to know about the data before a training: findings that warn, and never change anything.

:func:`check_data` takes plain values (texts, label names, row labels, token counts), so that any
task can use it. Data that is not in a task's format is an error, found before this.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clx.ml.data.check.label_checks import label_findings
from clx.ml.data.check.near_duplicates import near_duplicates
from clx.ml.data.windows import READ_WHOLE
from clx.ml.results.data_check import (
    EVAL,
    KINDS,
    TRAIN,
    DataCheck,
    Finding,
    LabelSet,
    joined,
    raise_if_strict,
)
from clx.problems import MAX_EXAMPLES, cell, examples

__all__ = ["DataCheck", "DataSplit", "Finding", "check_data", "raise_if_strict"]

MIN_ROWS_PER_LABEL = 5
"""Labels with fewer rows are reported: not even five-fold cross-validation has one of them a part."""

SIMILARITY = 0.8
"""From here on two texts are near duplicates: one word in fifteen may differ."""


@dataclass(frozen=True)
class DataSplit:
    """One part of the data, as plain values of equal length.

    Attributes:
        texts: shape (rows,).
        labels: of each row a label name or a list of them; None for a task without labels.
        rows: of each row the label by which the user knows it; None numbers them.
        lengths: of each row how many tokens it has before anything is cut, special ones included;
            None when that is not known.
    """

    texts: Sequence[str]
    labels: Sequence[Any] | None = None
    rows: Sequence[Any] | None = None
    lengths: Sequence[int] | None = None

    def __post_init__(self) -> None:
        for name in ("labels", "rows", "lengths"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.texts):
                raise ValueError(f"there are {len(self.texts)} texts, but {len(values)} {name}")


def check_data(
    train: DataSplit,
    eval: DataSplit | None = None,
    *,
    label_names: Iterable[str] | None = None,
    limit: int | None = None,
    min_rows_per_label: int = MIN_ROWS_PER_LABEL,
    similarity: float = SIMILARITY,
) -> DataCheck:
    """Return what was found in the training data and, if given, the eval data.

    Args:
        train: the rows to train on.
        eval: the rows to evaluate on.
        label_names: the label space; None takes the labels that occur.
        limit: the most tokens that the model reads, None if texts are not cut.
        min_rows_per_label: labels with fewer training rows are reported.
        similarity: how similar (0 to 1) an eval text has to be to one in the training data to be
            reported as its near duplicate; see :mod:`clx.ml.data.check.near_duplicates`.
    """
    label_names = None if label_names is None else list(label_names)
    trained = _Split(TRAIN, train)
    evaluated = None if eval is None else _Split(EVAL, eval)
    splits = [trained] if evaluated is None else [trained, evaluated]
    findings: list[Finding] = []
    for split in splits:
        findings += [*_empty(split), *_conflicts(split), *_repeated(split)]
        findings += _truncated(split, limit)
    if evaluated is not None:
        findings += _conflicts_across(trained, evaluated)
        findings += _leaks(trained, evaluated, similarity)
    if trained.labels is not None:
        in_eval = None if evaluated is None else evaluated.labels
        findings += label_findings(trained.labels, in_eval or (), label_names, min_rows_per_label)
    order = list(KINDS)
    return DataCheck(
        tuple(sorted(findings, key=lambda finding: order.index(finding.kind))),
        {split.name: len(split.texts) for split in splits},
        {split.name: split.label_counts(label_names) for split in splits if split.labels},
    )


class _Split:
    """A split as the checks need it: label sets, and the positions of each text."""

    def __init__(self, name: str, data: DataSplit) -> None:
        self.name = name
        self.texts = data.texts
        self.lengths = None if data.lengths is None else [int(size) for size in data.lengths]
        self.rows = range(len(data.texts)) if data.rows is None else data.rows
        self.labels = None if data.labels is None else [_label_set(item) for item in data.labels]
        self.blank = [number for number, text in enumerate(data.texts) if not text.strip()]
        blank = set(self.blank)
        self.positions: dict[str, list[int]] = defaultdict(list)
        for number, text in enumerate(data.texts):
            if number not in blank:
                self.positions[text].append(number)

    def label_sets(self, text: str) -> dict[LabelSet, int]:
        """Return the label sets of a text, each with the first position of it."""
        if self.labels is None:
            return {}
        return {self.labels[number]: number for number in reversed(self.positions.get(text, []))}

    def label_counts(self, label_names: Iterable[str] | None) -> dict[str, int]:
        """Return how many rows each label has: of the label space, or of what occurs, sorted."""
        counts = Counter(name for labels in self.labels or () for name in labels)
        space = sorted(counts) if label_names is None else label_names
        return {name: counts[name] for name in space}

    def row(self, number: int) -> str:
        """Return ``row 3``, by its index label."""
        return f"row {_plain(self.rows[number])!r}"

    def labelled_row(self, number: int) -> str:
        """Return ``row 3: 'fruit'``."""
        labels = [] if self.labels is None else sorted(self.labels[number])
        return f"{self.row(number)}: {examples(labels) or 'no label'}"

    def finding(
        self,
        kind: str,
        numbers: Sequence[int],
        what: str,
        shown: Sequence[str],
        remedy: str,
        total: int | None = None,
    ) -> list[Finding]:
        """Return a finding about the rows at the positions ``numbers``, none if there are none.

        ``shown`` are the first examples of ``total``, which is the number of rows if not given.
        """
        if not numbers:
            return []
        parts = tuple(shown[:MAX_EXAMPLES])
        listed = joined(parts, len(numbers) if total is None else total)
        share = f"{len(numbers)} of {len(self.texts)} rows"
        message = f"{self.name}: {what} in {share}: {listed}. {remedy}."
        rows = tuple(_plain(self.rows[number]) for number in numbers[:MAX_EXAMPLES])
        return [Finding(kind, self.name, message, len(numbers), rows, parts)]


def _empty(split: _Split) -> list[Finding]:
    return split.finding(
        "empty_texts",
        split.blank,
        "the text is empty or blank",
        [split.row(number) for number in split.blank[:MAX_EXAMPLES]],
        "There is nothing to learn from them: remove these rows",
    )


def _conflicts(split: _Split) -> list[Finding]:
    repeated = [text for text, numbers in split.positions.items() if len(numbers) > 1]
    texts = [text for text in repeated if len(split.label_sets(text)) > 1]
    shown = []
    for text in texts[:MAX_EXAMPLES]:
        rows = [split.labelled_row(number) for number in sorted(split.label_sets(text).values())]
        shown.append(f"{cell(text)} ({joined(rows[:MAX_EXAMPLES], len(rows))})")
    return split.finding(
        "conflicting_labels",
        sorted(number for text in texts for number in split.positions[text]),
        "the same text has different labels",
        shown,
        "Decide on one and correct the others, or remove them",
        len(texts),
    )


def _conflicts_across(train: _Split, evaluated: _Split) -> list[Finding]:
    found: dict[int, int] = {}
    for text, numbers in evaluated.positions.items():
        known = train.label_sets(text)
        if known and evaluated.labels is not None:
            first = min(known.values())
            found |= {n: first for n in numbers if evaluated.labels[n] not in known}
    numbers = sorted(found)
    return evaluated.finding(
        "conflicting_labels",
        numbers,
        "the same text has other labels than in train_data",
        [
            f"{cell(evaluated.texts[n])} ({evaluated.labelled_row(n)}, "
            f"train_data {train.labelled_row(found[n])})"
            for n in numbers[:MAX_EXAMPLES]
        ],
        "Decide on one and correct the others, or remove them",
    )


def _repeated(split: _Split) -> list[Finding]:
    first: dict[int, int] = {}
    for text, numbers in split.positions.items():
        if len(numbers) > 1:
            originals = split.label_sets(text)
            for number in numbers:
                labels = frozenset[str]() if split.labels is None else split.labels[number]
                original = originals.get(labels, numbers[0])
                if original != number:
                    first[number] = original
    numbers = sorted(first)
    return split.finding(
        "duplicate_rows",
        numbers,
        "the text and labels of an earlier row are repeated",
        [
            f"{split.row(n)} repeats {split.row(first[n])} ({cell(split.texts[n])})"
            for n in numbers[:MAX_EXAMPLES]
        ],
        "They count more than others: drop_duplicates() removes them if that is not meant",
    )


def _leaks(train: _Split, evaluated: _Split, similarity: float) -> list[Finding]:
    remedy = "The metrics will look better than on new texts: remove these rows from one of the two"
    same: list[int] = []
    other: list[int] = []
    for text, numbers in evaluated.positions.items():
        (same if text in train.positions else other).extend(numbers)
    same.sort()
    other.sort()
    exact = evaluated.finding(
        "leaked_texts",
        same,
        "the text is also in train_data",
        [
            f"{cell(evaluated.texts[n])} ({evaluated.row(n)}, "
            f"train_data {train.row(train.positions[evaluated.texts[n]][0])})"
            for n in same[:MAX_EXAMPLES]
        ],
        remedy,
    )
    pairs = near_duplicates(train.texts, [evaluated.texts[n] for n in other], similarity)
    near = [other[position] for position in pairs["position_b"]]
    near_shown = [
        f"{cell(evaluated.texts[n])} ({evaluated.row(n)}) and {cell(train.texts[original])} "
        f"(train_data {train.row(original)})"
        for n, original in zip(near[:MAX_EXAMPLES], pairs["position_a"], strict=False)
    ]
    return exact + evaluated.finding(
        "nearly_leaked_texts", near, "the text is nearly one of train_data", near_shown, remedy
    )


def _truncated(split: _Split, limit: int | None) -> list[Finding]:
    lengths = split.lengths
    if lengths is None or limit is None:
        return []
    cut = sorted((n for n, size in enumerate(lengths) if size > limit), key=lambda n: -lengths[n])
    lost = sum(lengths[number] - limit for number in cut) / max(1, sum(lengths))
    share = "less than 0.1 %" if lost < 0.001 else f"{100 * lost:.1f} %"
    return split.finding(
        "truncated_texts",
        cut,
        f"the text is longer than {limit} tokens",
        [f"{split.row(number)} ({lengths[number]} tokens)" for number in cut[:MAX_EXAMPLES]],
        f"They are cut there, which loses {share} of all tokens: "
        f"tokenize_args={{'max_length': …}} sets the limit, up to what the model takes. "
        f"{READ_WHOLE}",
    )


def _label_set(labels: Any) -> LabelSet:
    """Return a row's label names, in no order, whether it has a name or a list of them."""
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        return frozenset([str(labels)])
    return frozenset(str(label) for label in labels)


def _plain(value: Any) -> Any:
    """Return a row label as JSON has it."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
