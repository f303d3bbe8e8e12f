"""Results and logs without texts of the data.

What is known to hold no text is kept. Of everything else, only numbers and label names are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from clx.ml.results.data_check import KINDS
from clx.ml.results.json_tables import is_finite_number

WITHOUT_TEXTS = frozenset(
    {
        "metrics",
        "train_loss",
        "steps",
        "epochs",
        "kept_model",
        "stopped",
        "seconds",
        "rows",
        "truncated",
        "split",
        "finished",
        "head",
        "calibration",
        "time_budget",
        "kept",
        "data",
    }
)
"""Entries of the results that never hold a text."""

OF_LABELS = frozenset({"per_label", "confusion", "co_occurrence", "calibration"})
"""Tables whose rows and columns are labels or ranges."""

ROWS_OF_DATA = {"mistakes": "confident mistakes", "suspicious_labels": "suspicious labels"}
"""Tables of rows of the data: the key, and what they show."""

_NAME = re.compile(r"[\w.-]{1,60}")


def results_without_texts(
    results: Mapping[str, Any], labels: Collection[str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the content of ``results.json`` without texts, and what was left out.

    Args:
        results: the content.
        labels: the names of the labels.
    """
    left: list[str] = []
    cleaned: dict[str, Any] = {}
    for key, value in results.items():
        if key in WITHOUT_TEXTS:
            cleaned[key] = value
        elif key == "data_check" and isinstance(value, Mapping):
            cleaned[key] = _check(value, left)
        elif key == "evaluation" and isinstance(value, Mapping):
            cleaned[key] = _evaluation(value, labels, left)
        else:
            cleaned[key] = _numbers(value, labels, key, left)
    return cleaned, left


def log_without_texts(log: str) -> str:
    """Return the lines of ``metrics.jsonl`` with their numbers alone."""
    lines = []
    for line in log.splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict):
            numbers = {key: value for key, value in values.items() if is_finite_number(value)}
            lines.append(json.dumps(numbers) + "\n")
    return "".join(lines)


def read_log(path: Path) -> str:
    """Return a log, empty if there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _check(check: Mapping[str, Any], left: list[str]) -> dict[str, Any]:
    """Keep what was found, where, and how often."""
    findings = [each for each in check.get("findings") or () if isinstance(each, Mapping)]
    kept = []
    for finding in findings:
        kind, count = str(finding.get("kind")), finding.get("count")
        where = str(finding.get("where"))
        title = KINDS.get(kind, "A finding")
        message = f"{where}: {title} ({count}). The examples are not shared."
        severity = str(finding.get("severity"))
        kept.append({"kind": kind, "where": where, "message": message, "count": count})
        kept[-1] |= {"rows": [], "examples": [], "severity": severity}
    if findings:
        left.append(f"examples and rows of {len(findings)} findings of the data check")
    return {
        "ok": check.get("ok"),
        "rows": check.get("rows"),
        "label_counts": check.get("label_counts"),
        "findings": kept,
    }


def _evaluation(
    evaluation: Mapping[str, Any], labels: Collection[str], left: list[str]
) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for key, value in evaluation.items():
        if key in WITHOUT_TEXTS:
            cleaned[key] = value
        elif key in ROWS_OF_DATA:
            rows = value.get("rows") if isinstance(value, Mapping) else None
            if rows:
                left.append(f"{len(rows)} {ROWS_OF_DATA[key]}")
        elif key == "tables" and isinstance(value, Mapping):
            tables = {
                name: table for name, table in value.items() if _is_of_labels(name, table, labels)
            }
            left += [f"the table {name!r}" for name in value if name not in tables]
            cleaned[key] = tables
        else:
            cleaned[key] = _numbers(value, labels, key, left)
    return cleaned


def _is_of_labels(name: str, table: Any, labels: Collection[str]) -> bool:
    if name in OF_LABELS or not isinstance(table, Mapping):
        return name in OF_LABELS
    index = table.get("index") or ()
    cells = [value for row in table.get("rows") or () for value in row]
    named = {value for value in (*index, *cells) if isinstance(value, str)}
    return all(value in labels or value.isdecimal() for value in named)


def _numbers(value: Any, labels: Collection[str], where: str, left: list[str]) -> Any:
    """Return a value with its numbers and label names alone."""
    note = f"words under {where!r}"
    if isinstance(value, Mapping):
        named = {key: item for key, item in value.items() if key in labels or _NAME.fullmatch(key)}
        if len(named) < len(value) and note not in left:
            left.append(note)
        return {key: _numbers(item, labels, where, left) for key, item in named.items()}
    if isinstance(value, list):
        return [_numbers(item, labels, where, left) for item in value]
    if value is None or is_finite_number(value) or value in labels:
        return value
    if note not in left:
        left.append(note)
    return None
