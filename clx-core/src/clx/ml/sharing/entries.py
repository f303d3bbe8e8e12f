"""The schemas of the entries that clx itself writes into ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clx.ml.data.text_sketch import LEARNED_TEXTS
from clx.ml.results.cascade import CASCADE
from clx.ml.results.data_check import KINDS
from clx.ml.results.tuning_pages import TUNING
from clx.ml.run_directory.identities import EARLIER
from clx.ml.run_directory.layout import LOGS
from clx.ml.sharing.schema import (
    LEFT_OUT,
    Schema,
    Sieve,
    address,
    digest,
    each,
    facts,
    items,
    label,
    name,
    option,
    options,
    record,
    table,
    time,
    unknown,
)
from clx.ml.task.reporting import TRACKERS

OF_LABELS = frozenset({"per_label", "confusion", "co_occurrence", "calibration"})
"""Tables whose rows and columns are labels or ranges."""

ROWS_OF_DATA = {"mistakes": "confident mistakes", "suspicious_labels": "suspicious labels"}
"""Tables of rows of the data: the key, and what they show."""


def _check(check: Any, where: str, sieve: Sieve) -> Any:
    """Keep the kind, the place, and the count of a finding."""
    if sieve.include_texts:
        return check
    if not isinstance(check, Mapping):
        return unknown(check, where, sieve)
    findings = [finding for finding in check.get("findings") or () if isinstance(finding, Mapping)]
    kept = []
    for finding in findings:
        kind, count = str(finding.get("kind")), finding.get("count")
        part = str(finding.get("where"))
        title = KINDS.get(kind, "A finding")
        message = f"{part}: {title} ({count}). The examples are not shared."
        severity = str(finding.get("severity"))
        kept.append({"kind": kind, "where": part, "message": message, "count": count})
        kept[-1] |= {"rows": [], "examples": [], "severity": severity}
    if findings:
        sieve.note_text(f"examples and rows of {len(findings)} findings of the data check")
    return {
        "ok": check.get("ok"),
        "rows": check.get("rows"),
        "label_counts": check.get("label_counts"),
        "findings": kept,
    }


def _rows_of_data(rows: Any, where: str, sieve: Sieve) -> Any:
    if sieve.include_texts:
        return rows
    count = rows.get("rows") if isinstance(rows, Mapping) else None
    if count:
        sieve.note_text(f"{len(count)} {ROWS_OF_DATA[where.rpartition('.')[2]]}")
    return LEFT_OUT


def _tables(tables: Any, where: str, sieve: Sieve) -> Any:
    if sieve.include_texts:
        return tables
    if not isinstance(tables, Mapping):
        return unknown(tables, where, sieve)
    kept = {key: value for key, value in tables.items() if _is_of_labels(key, value, sieve)}
    for key in tables:
        if key not in kept:
            sieve.note_text(f"the table {key!r}")
    return kept


def _is_of_labels(key: str, value: Any, sieve: Sieve) -> bool:
    if key in OF_LABELS or not isinstance(value, Mapping):
        return key in OF_LABELS
    index = value.get("index") or ()
    cells = [cell for row in value.get("rows") or () for cell in row]
    named = {cell for cell in (*index, *cells) if isinstance(cell, str)}
    return all(each in sieve.labels or each.isdecimal() for each in named)


def _folder(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep the name of the folder for logs within a run."""
    return value if value == LOGS else address(value, where, sieve)


_FACTS: dict[str, Schema] = dict.fromkeys(
    (
        "metrics",
        "train_loss",
        "steps",
        "epochs",
        "kept_model",
        "stopped",
        "seconds",
        "rows",
        "truncated",
        "learned_rows",
        "split",
        "finished",
        "head",
        "calibration",
        "time_budget",
        "kept",
        "data",
        "attention_dropout_left_out",
    ),
    facts,
)

_EVALUATION = record({**_FACTS, **dict.fromkeys(ROWS_OF_DATA, _rows_of_data), "tables": _tables})


def _learned_texts(value: Any, where: str, sieve: Sieve) -> Any:
    """Leave out hashes of texts: they would tell whether the run was trained on a given text."""
    sieve.note_private("the hashes of texts of the training")
    return LEFT_OUT


_TUNING = record(
    {
        "objective": name,
        "best": options,
        "of_fine_tuning": each(name),
        "importance": each(unknown),
        "stopped": name,
        "trials": table({"state": name, "kept": name, "seconds": unknown}, option),
    }
)

_COMPARISON = record({"own": name, "other": name, "metrics": table({})})

_CONTINUED = record(
    {
        "from": name,
        "new_labels": each(label),
        "carried": each(name),
        "comparison": _COMPARISON,
    }
)

_PLACE = record(
    {
        "run_id": name,
        "experiment_id": name,
        "id": name,
        "project": name,
        "entity": address,
        "url": address,
        "tracking_uri": address,
        "folder": _folder,
    }
)
"""The location of a training in a tracker: its identifiers tell nothing without the server."""

_CHANGE: dict[str, Schema] = {
    "when": time,
    "clx_version": name,
    "rows": facts,
    "earlier_metrics": facts,
}
"""The entries that both histories of changes have."""

ENTRIES: dict[str, Schema] = {
    **_FACTS,
    "data_check": _check,
    "evaluation": _EVALUATION,
    TUNING: _TUNING,
    "continued": _CONTINUED,
    "tracking": record(dict.fromkeys(TRACKERS, _PLACE)),
    CASCADE: record(
        {
            **dict.fromkeys(("student", "teacher"), name),
            **dict.fromkeys(("texts", "accuracy", "speeds", "margins"), facts),
            "curve": table({}),
        }
    ),
    EARLIER: items(digest),
    LEARNED_TEXTS: _learned_texts,
    "lora": record({"layers": each(name)}),
    "decisions_history": items(record({**_CHANGE, "old": options, "new": options})),
    "labels_history": items(
        record(
            {
                **_CHANGE,
                "renamed": each(label),
                "merged": each(each(label)),
                "data": facts,
                "earlier_rows": facts,
                "earlier_data_check": _check,
            }
        )
    ),
}
"""Each entry of the results that clx writes, and its schema."""


def for_others(results: Mapping[str, Any], sieve: Sieve) -> dict[str, Any]:
    """Return the content of ``results.json`` for others.

    Args:
        results: the content.
        sieve: the labels, and whether to share texts; it gets what was left out.
    """
    kept: dict[str, Any] = record(ENTRIES)(results, "", sieve)
    return kept
