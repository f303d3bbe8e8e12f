"""What a report shows, as plain values and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Metrics = Mapping[str, float | int | None]


@dataclass(frozen=True)
class Section:
    """A section of a plugin's: a text, a frame, or both. Neither is HTML; both are escaped."""

    title: str
    text: str = ""
    table: pd.DataFrame | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that the check of the data found.

    Attributes:
        kind: a short name, such as ``leakage``.
        message: a sentence for people.
        count: how many rows it is about, None where rows do not count.
        rows: some of them, as whatever tells a reader which they are.
    """

    kind: str
    message: str
    count: int | None = None
    rows: Sequence[Any] = ()


@dataclass(frozen=True)
class DataSummary:
    """The data that a run was trained and evaluated on.

    Attributes:
        rows: how many, for ``train``, ``eval`` and so on.
        truncated: how many of their texts were cut to the model's limit, by the same names.
        label_counts: index the label, a column of counts for each of those names.
        findings: what the check of the data found; mappings with ``Finding``'s keys will do.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    truncated: Mapping[str, int] = field(default_factory=dict)
    label_counts: pd.DataFrame | None = None
    findings: Sequence[Finding | Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same rows.

    Attributes:
        names: this run and the other one.
        metrics: index the metric; columns ``this``, ``other``, ``difference`` (this less other) and,
            where they are known, ``low`` and ``high``, the 95 % interval of the difference.
        fixed: rows that only this run gets right, in the columns of ``ReportData.mistakes``.
        broken: rows that only the other run gets right, likewise.
        mcnemar: McNemar's test: ``fixed`` and ``broken``, the counts, and ``p_value``.
    """

    names: tuple[str, str]
    metrics: pd.DataFrame | None = None
    fixed: pd.DataFrame | None = None
    broken: pd.DataFrame | None = None
    mcnemar: Metrics = field(default_factory=dict)


@dataclass(frozen=True)
class ReportData:
    """All of a report. What is left out is not shown; the title alone is needed.

    Attributes:
        title: the run's name.
        subtitle: one sentence on what the run is.
        facts: a few names and values for the top of the page, such as the base model and the date.
        metrics: name → number; ``{name}_low`` and ``{name}_high`` are its 95 % interval.
        headline: the names of the metrics to show large; three well-known ones by default.
        evaluated_rows: how many rows the metrics are from.
        log: the lines of ``logs/metrics.jsonl``.
        per_label: index the label; ``precision``, ``recall``, ``f1``, ``support``, ``threshold``, …
        confusion: counts, a row a given label and a column a predicted one (single label).
        cooccurrence: counts of rows that carry both labels, the diagonal the label's own rows
            (multi-label).
        calibration: ``confidence``, ``accuracy`` and ``count``, one row a bin.
        mistakes: ``text``, ``label``, ``predicted``, ``score`` and any other columns, best first;
            labels may be sequences of names.
        suspicious: rows whose given label looks wrong, in the columns of ``mistakes``.
        data: the data that the run was trained and evaluated on.
        comparison: this run beside another.
        sections: what plugins add.
        environment: what the run was trained with; values may be nested.
        config: the run's configuration; values may be nested.
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
    mistakes: pd.DataFrame | None = None
    suspicious: pd.DataFrame | None = None
    data: DataSummary | None = None
    comparison: Comparison | None = None
    sections: Sequence[Section] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
