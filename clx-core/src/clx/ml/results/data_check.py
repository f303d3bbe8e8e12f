"""What a check of the data returns: findings to print, to tabulate and to save as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from clx.errors import DataFormatError
from clx.ml.results.cards import Card, card_html, plain_card, rows_table
from clx.problems import IN_WARNINGS

if TYPE_CHECKING:
    import pandas as pd

LabelSet: TypeAlias = frozenset[str]
"""The label names of one row, for tasks with one or several labels per row."""

TRAIN, EVAL = "train_data", "eval_data"

WIDTH = 80
"""The characters of a printed line. Notebooks would break a longer one inside of a word."""


@dataclass(frozen=True)
class Finding:
    """One finding in the data.

    Attributes:
        kind: one of :data:`KINDS`, such as ``"leaked_texts"``, or a task's own kind.
        where: ``"train_data"`` or ``"eval_data"``, or the argument of another call, such as ``"data"``.
        message: what was found, where, how often, with at most three examples and the remedy.
        count: the number of rows concerned, or of labels if ``kind`` is about labels.
        rows: the index labels of at most five of these rows; empty if ``kind`` is about labels.
        examples: at most five examples in words.
        severity: ``"warning"``.
        remedy: what to do, which is the end of the message; empty if the message does not end with it.
    """

    kind: str
    where: str
    message: str
    count: int
    rows: tuple[Any, ...] = ()
    examples: tuple[str, ...] = ()
    severity: str = "warning"
    remedy: str = ""

    def __str__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        return plain_card(self, title_of(self.kind))


KINDS = {
    "empty_texts": "Texts that are empty or blank",
    "conflicting_labels": "The same text with different labels",
    "leaked_texts": "Eval texts that are also in the training data",
    "nearly_leaked_texts": "Eval texts that are nearly the same as training texts",
    "duplicate_rows": "Rows that repeat the text and labels of another row",
    "similar_labels": "Labels that differ only in case, Unicode form, or invisible characters",
    "joined_labels": "Labels that look like several labels",
    "rare_labels": "Labels with few rows",
    "labels_without_rows": "Labels with no rows",
    "labels_only_in_eval": "Labels with no training rows",
    "labels_not_evaluated": "Labels with no eval rows after a split",
    "labels_in_every_row": "Labels that every row has",
    "truncated_texts": "Texts longer than the model's input limit",
}
"""The kinds of core's findings with their titles, in the order of a report. Those of tasks follow."""


def title_of(kind: str) -> str:
    """Return the title of a kind of findings."""
    return KINDS.get(kind) or kind.replace("_", " ").capitalize()


@dataclass(frozen=True)
class DataCheck:
    """The findings of :func:`check_data`. It is true if there are none, and readable when printed.

    Attributes:
        findings: in the order of :data:`KINDS`.
        rows: the number of rows of ``train_data`` and ``eval_data``.
        label_counts: the rows per label of ``train_data`` and ``eval_data``; empty for a task without
            labels.
        samples: for data of which a sample was checked, the number of rows in the sample, and the
            number of rows whose labels were counted.
    """

    findings: tuple[Finding, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    label_counts: dict[str, dict[str, int]] = field(default_factory=dict)
    samples: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        checked = " and ".join(self._checked(name) for name in self.rows)
        if self.ok:
            return f"There are no findings in {checked}."
        return self._listed(f"Findings in {checked}:")

    def _checked(self, name: str) -> str:
        """Return how many rows of some data were checked."""
        if name not in self.samples:
            return f"{self.rows[name]} rows of {name}"
        (sample, counted), rows = self.samples[name], self.rows[name]
        if sample == rows:
            return f"the first {rows} rows of {name}, a stream,"
        of = "all rows" if counted == rows else f"{counted} rows"
        labels = f", and the labels of {of}," if self.label_counts.get(name) else ""
        return f"a sample of {sample} of the {rows} rows of {name}{labels}"

    def _listed(self, heading: str) -> str:
        lines = _lines(heading)
        for finding in self.findings:
            problem = finding.message.removesuffix(finding.remedy).rstrip()
            lines += [*_lines(problem, "  - "), *_lines(finding.remedy, "    ")]
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per finding and one column per attribute."""
        import pandas as pd

        columns = ["kind", "severity", "where", "count", "rows", "examples", "message"]
        return pd.DataFrame([asdict(finding) for finding in self.findings], columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        lists = [
            {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(finding).items()}
            for finding in self.findings
        ]
        return {
            "ok": self.ok,
            "rows": dict(self.rows),
            "label_counts": self.label_counts,
            "findings": lists,
            **({"samples": {k: list(v) for k, v in self.samples.items()}} if self.samples else {}),
        }

    def _repr_html_(self) -> str:
        return card_html(self, self._card)

    def _card(self) -> Card:
        cells = [
            [title_of(each.kind), each.where, each.count, each.message] for each in self.findings
        ]
        title = f"{len(self.findings)} findings" if self.findings else "No findings"
        rows = {f"Rows of {name}": count for name, count in self.rows.items()}
        tables = [rows_table(["Finding", "Data", "Count", "What to do"], cells)]
        return Card(title, "Check of the data", rows, tables)


def as_sample(check: DataCheck, name: str, rows: int | None, counted: int) -> DataCheck:
    """Return a check of rows that were a sample.

    Args:
        check: the check, which counted the rows of the sample.
        name: the name of the data.
        rows: the number of all rows, None for a stream.
        counted: the number of rows whose labels were counted.
    """
    sample = check.rows[name]
    if rows == sample:
        return check
    samples = {**check.samples, name: (sample, counted)}
    return replace(check, rows={**check.rows, name: rows or sample}, samples=samples)


def _lines(text: str, beginning: str = "") -> list[str]:
    """Return the lines of a text, wrapped at spaces and indented like its beginning."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=beginning,
        subsequent_indent=" " * len(beginning),
        break_long_words=False,
        break_on_hyphens=False,
    )


def raise_if_strict(check: DataCheck, strict: bool = True) -> None:
    """Raise an error that lists all findings, if there are any and ``strict`` is true.

    Raises:
        DataFormatError: there are findings.
    """
    if strict and not check.ok:
        raise DataFormatError(
            check._listed("The data has findings, which are errors with strict_data=True:")
            + "\nCorrect the data, or pass strict_data=False."
        )


def joined(parts: Sequence[str], total: int) -> str:
    """Return at most three examples as text, and how many more there are of ``total``."""
    more = total - len(parts[:IN_WARNINGS])
    return ", ".join(parts[:IN_WARNINGS]) + (f" and {more} more" if more > 0 else "")
