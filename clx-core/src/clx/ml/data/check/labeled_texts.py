"""One split in the form that the data checks use: texts, labels, row labels, token counts."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clx.ml.results.data_check import Finding, LabelSet, joined
from clx.problems import MAX_EXAMPLES, examples


@dataclass(frozen=True)
class LabeledTexts:
    """One split as plain values of equal length.

    Attributes:
        texts: shape (rows,).
        labels: the label name, or the list of label names, of each row. None for a task without
            labels.
        rows: the index label by which the user knows each row. None numbers the rows.
        lengths: the number of tokens of each row before truncation, special tokens included. None if
            they are unknown.
        counts: with soft labels, the sum of each label's probabilities, by label name. None counts
            the rows of each label.
        shares: with soft labels, a key per row that is equal for equal probabilities.
        marks: for labels that their names do not tell apart, such as spans, a key per row that is equal
            for equal labels.

    Raises:
        ValueError: the lengths differ.
    """

    texts: Sequence[str]
    labels: Sequence[Any] | None = None
    rows: Sequence[Any] | None = None
    lengths: Sequence[int] | None = None
    counts: Mapping[str, float] | None = None
    shares: Sequence[Hashable] | None = None
    marks: Sequence[Hashable] | None = None

    def __post_init__(self) -> None:
        for name in ("labels", "rows", "lengths"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.texts):
                raise ValueError(f"there are {len(self.texts)} texts, but {len(values)} {name}")


@dataclass(frozen=True)
class Rule:
    """A check of rows, and the words for its finding.

    Attributes:
        kind: the kind of the findings; one of ``clx.ml.results.data_check.KINDS``.
        what: the problem of the rows, as a clause that "in 3 of 20 rows" can follow.
        remedy: what the user can do, without a final period.
    """

    kind: str
    what: str
    remedy: str


class TextIndex:
    """The rows of a split by text, with their labels as sets.

    Attributes:
        name: ``train_data`` or ``eval_data``.
        texts: shape (rows,).
        lengths: tokens of each row, shape (rows,), or None.
        rows: the index label of each row, shape (rows,).
        labels: the label names of each row, shape (rows,). None for a task without labels.
        blank: the positions of blank texts.
        positions: the positions of each text that is not blank, ascending.
        counts: the number of rows per label, for soft labels the expected number.
        shares: with soft labels, a key of the probabilities of each row.
        marks: a key of the labels of each row, if their names do not tell them apart.
    """

    def __init__(self, name: str, data: LabeledTexts) -> None:
        self.name = name
        self.texts = data.texts
        self.lengths = None if data.lengths is None else [int(size) for size in data.lengths]
        self.rows = range(len(data.texts)) if data.rows is None else data.rows
        self.labels = None if data.labels is None else [label_set(item) for item in data.labels]
        self.blank = [position for position, text in enumerate(data.texts) if not text.strip()]
        self.counts: Mapping[str, float] = Counter(n for row in self.labels or () for n in row)
        if data.counts is not None:
            self.counts = {name: round(count, 1) for name, count in data.counts.items()}
        self.shares, self.marks = data.shares, data.marks
        blank = set(self.blank)
        self.positions: dict[str, list[int]] = defaultdict(list)
        for position, text in enumerate(data.texts):
            if position not in blank:
                self.positions[text].append(position)

    def label_sets(self, text: str) -> dict[Hashable, int]:
        """Return the label sets that a text occurs with, each with its first position.

        The keys are those of :meth:`label_key`.
        """
        if self.labels is None:
            return {}
        return {self.label_key(i): i for i in reversed(self.positions.get(text, []))}

    def same_labels(self, text: str) -> dict[Hashable, int]:
        """Return the labels that a text occurs with, soft ones too, each with its first position."""
        keys: dict[Hashable, int] = {}
        for i in self.positions.get(text, []):
            keys.setdefault(self.labels_key(i), i)
        return keys

    def label_key(self, position: int) -> Hashable:
        """Return a value that is equal for rows with the same labels."""
        names = None if self.labels is None else self.labels[position]
        return names if self.marks is None else (names, self.marks[position])

    def labels_key(self, position: int) -> Hashable:
        """Return a value that is equal for rows with the same labels and the same probabilities."""
        share = None if self.shares is None else self.shares[position]
        return self.label_key(position), share

    def label_counts(self, label_names: Iterable[str] | None) -> dict[str, int]:
        """Return the number of rows per label, for ``label_names`` or else for the labels found."""
        space = sorted(self.counts) if label_names is None else label_names
        return {name: round(self.counts.get(name, 0)) for name in space}

    def row(self, position: int) -> str:
        """Return the row at a position by its index label, such as ``row 3``."""
        return f"row {_plain(self.rows[position])!r}"

    def labeled_row(self, position: int) -> str:
        """Return the row at a position with its labels, such as ``row 3: 'fruit'``."""
        labels = [] if self.labels is None else sorted(self.labels[position])
        return f"{self.row(position)}: {examples(labels) or 'no label'}"

    def findings(
        self,
        rule: Rule,
        positions: Sequence[int],
        shown: Sequence[str],
        total: int | None = None,
        about: int | None = None,
    ) -> list[Finding]:
        """Return a list with one finding, or an empty list if there are no positions.

        Args:
            rule: what was found.
            positions: the positions of the rows.
            shown: the first examples, in words.
            total: the number of examples, of which ``shown`` are the first. None for one per row.
            about: the estimated number of rows, if ``positions`` are only those of some of them.
        """
        if not positions:
            return []
        parts = tuple(shown[:MAX_EXAMPLES])
        count = len(positions) if about is None else about
        listed = joined(parts, count if total is None else total)
        share = f"{'' if about is None else 'about '}{count} of {len(self.texts)} rows"
        remedy = f"{rule.remedy.removesuffix('.')}."
        message = f"{self.name}: {rule.what} in {share}: {listed}. {remedy}"
        rows = tuple(_plain(self.rows[position]) for position in positions[:MAX_EXAMPLES])
        return [Finding(rule.kind, self.name, message, count, rows, parts, remedy=remedy)]


def label_set(labels: Any) -> LabelSet:
    """Return the label names of a row that has one name or a list of them."""
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        return frozenset([str(labels)])
    return frozenset(str(label) for label in labels)


def _plain(value: Any) -> Any:
    """Return an index label as a JSON value."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)
