"""What a check of the data leads to: findings that can be printed, tabled and kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from clx.errors import DataFormatError

if TYPE_CHECKING:
    import pandas as pd

LabelSet: TypeAlias = frozenset[str]
"""The label names of one row, whether it can have one or many."""

TRAIN, EVAL = "train_data", "eval_data"


@dataclass(frozen=True)
class Finding:
    """One thing that was found in the data.

    Attributes:
        kind: what was found, such as ``"leaked_texts"``; one of :data:`KINDS`.
        where: ``"train_data"`` or ``"eval_data"``.
        message: what, where, how many, examples, and what to do.
        count: how many rows, or labels if ``kind`` is about labels, it concerns.
        rows: at most five of the rows, by their index labels; none if ``kind`` is about labels.
        examples: at most five examples in words.
        severity: ``"warning"``.
    """

    kind: str
    where: str
    message: str
    count: int
    rows: tuple[Any, ...] = ()
    examples: tuple[str, ...] = ()
    severity: str = "warning"

    def __str__(self) -> str:
        return self.message


KINDS = {
    "empty_texts": "Texts of nothing but blanks",
    "conflicting_labels": "The same text with different labels",
    "leaked_texts": "Eval texts that are also in the training data",
    "nearly_leaked_texts": "Eval texts that are almost in the training data",
    "duplicate_rows": "Rows that repeat another's text and labels",
    "rare_labels": "Labels with few rows",
    "labels_without_rows": "Labels with no rows",
    "labels_only_in_eval": "Labels with no rows for training",
    "labels_in_every_row": "Labels that are always present",
    "truncated_texts": "Texts longer than the model reads",
}
"""Every kind of finding with its title, in the order in which they are reported."""


@dataclass(frozen=True)
class DataCheck:
    """What :func:`check_data` found. True if it found nothing; printed, it is readable.

    Attributes:
        findings: in the order of :data:`KINDS`.
        rows: how many rows were checked, for ``train_data`` and ``eval_data``.
        label_counts: of each of the two how many rows a label has; empty for a task without labels.
    """

    findings: tuple[Finding, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    label_counts: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        checked = " and ".join(f"{count} rows of {name}" for name, count in self.rows.items())
        if self.ok:
            return f"Nothing was found in {checked}."
        return self._listed(f"In {checked}:")

    def _listed(self, heading: str) -> str:
        return "\n".join([heading, *(f"  - {finding.message}" for finding in self.findings)])

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a frame, a row each, with the attributes of a finding."""
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
        }


def raise_if_strict(check: DataCheck, strict: bool = True) -> None:
    """Raise a :class:`DataFormatError` that lists all findings, if there are any and ``strict``."""
    if strict and not check.ok:
        raise DataFormatError(
            check._listed("The data has findings, which strict_data=True makes an error:")
            + "\nCorrect the data, or train with strict_data=False."
        )


def joined(parts: Sequence[str], total: int) -> str:
    """Return the first examples of ``total``, and how many more there are."""
    more = total - len(parts)
    return ", ".join(parts) + (f" and {more} more" if more > 0 else "")
