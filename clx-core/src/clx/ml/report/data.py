"""The content of a report, as plain values and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Metrics = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Section:
    """A section that a plugin adds: a text, a frame, or both. Neither is HTML; both are escaped."""

    title: str
    text: str = ""
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Finding:
    """One finding of the data check.

    Attributes:
        kind: a short name, such as ``leakage``.
        message: a sentence for people.
        count: the number of rows concerned, None if the finding is not about rows.
        rows: some of these rows, as values that identify them for a reader.
    """

    kind: str
    message: str
    count: int | None = None
    rows: Sequence[Any] = ()


@dataclass(frozen=True)
class DataSummary:
    """The data that a run was trained and evaluated on.

    Attributes:
        rows: the number of rows of ``train``, ``eval`` and so on.
        truncated: the number of texts that were truncated to the model's limit, by the same names.
        label_counts: label → rows, as a frame with one column for each of these names.
        findings: the findings of the data check, as ``Finding`` objects or mappings with its keys.
        split: a sentence that says how the evaluation rows were chosen; empty if that is unknown.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    truncated: Mapping[str, int] = field(default_factory=dict)
    label_counts: pd.DataFrame | None = None
    findings: Sequence[Finding | Mapping[str, Any]] = ()
    split: str = ""


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same rows.

    Attributes:
        names: this run and the other one.
        metrics: one row per metric; columns ``this``, ``other``, ``difference`` (this − other) and,
            if known, ``low`` and ``high``, the 95% interval of the difference.
        fixed: rows that only this run predicts correctly, with the columns of
            ``ReportData.mistakes``.
        broken: rows that only the other run predicts correctly, with the same columns.
        mcnemar: McNemar's test: the counts ``fixed`` and ``broken``, and ``p_value``.
    """

    names: tuple[str, str]
    metrics: pd.DataFrame | None = None
    fixed: pd.DataFrame | None = None
    broken: pd.DataFrame | None = None
    mcnemar: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class ReportData:
    """The content of a report. Missing parts are not shown; only the title is required.

    Attributes:
        title: the run's name.
        subtitle: one sentence that describes the run.
        notice: what a reader must know first, such as why there are no metrics.
        facts: a few names and values for the top of the page, such as the base model and the date.
        metrics: name → number; ``{name}_low`` and ``{name}_high`` are its 95% interval.
        headline: the names of the metrics to show large; three well-known ones by default.
        evaluated_rows: the number of rows that the metrics were computed on.
        log: the lines of ``logs/metrics.jsonl``.
        per_label: one row per label; columns such as ``precision``, ``recall``, ``f1``, ``support``
            and ``threshold``.
        confusion: counts with a row per given label and a column per predicted label, for tasks with
            a single label per row.
        cooccurrence: counts of the rows that have both labels, for tasks with several labels per
            row; the diagonal counts all rows of a label.
        decision_curve: what each limit of the score gives; columns ``coverage`` and ``accuracy``, or
            ``label``, ``threshold``, ``precision`` and ``recall``.
        calibration: one row per bin; columns ``confidence``, ``accuracy`` and ``count``.
        mistakes: the columns ``text``, ``label``, ``predicted``, ``score`` and any others, in the
            order in which to show the rows; labels may be sequences of names.
        suspicious: rows whose given label may be wrong, with the columns of ``mistakes``.
        data: the data that the run was trained and evaluated on.
        comparison: this run compared with another.
        cascade: what the margins of a student give; columns ``share``, ``agreement``, ``bound``,
            ``texts_per_second``, ``chosen`` and, if known, ``accuracy``.
        sections: the sections that plugins add.
        environment: the versions and the machine that the run was trained with; may be nested.
        config: the run's configuration; may be nested.
    """

    title: str
    subtitle: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=dict)
    headline: Sequence[str] = ()
    evaluated_rows: int | None = None
    log: Sequence[Mapping[str, Any]] = ()
    per_label: pd.DataFrame | None = None
    confusion: pd.DataFrame | None = None
    cooccurrence: pd.DataFrame | None = None
    calibration: pd.DataFrame | None = None
    decision_curve: pd.DataFrame | None = None
    mistakes: pd.DataFrame | None = None
    suspicious: pd.DataFrame | None = None
    data: DataSummary | None = None
    comparison: Comparison | None = None
    cascade: pd.DataFrame | None = None
    sections: Sequence[Section] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    notice: str = ""
