"""Rename labels in the entries of ``results.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from clx.ml.editing.decisions import HISTORY as DECISIONS
from clx.ml.results.cascade import CASCADE
from clx.ml.results.json_tables import object_or_empty
from clx.problems import cell

Names = Mapping[str, str]
"""The new name of every label, in the order of the labels."""

_COLUMNS = ("label", "predicted", "given", "suggested")
"""The columns of tables whose cells are label names or lists of them."""

_WITH_TEXTS = "conflicting_labels"
"""The kind of finding whose examples are a text, followed by rows with their labels."""


def renamed_value(value: Any, new: Names) -> Any:
    """Return a value with new names: keys of a dict, or items of a list, which may be spans."""
    if isinstance(value, dict):
        return {new.get(str(key), key): item for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed_item(item, new) for item in value]
    return value


def _renamed_item(item: Any, new: Names) -> Any:
    if isinstance(item, dict) and "label" in item:
        return {**item, "label": new.get(str(item["label"]), item["label"])}
    return item if isinstance(item, dict) else new.get(str(item), item)


def renamed_results(
    results: Mapping[str, Any], new: Names, options: Collection[str] = ()
) -> dict[str, Any]:
    """Return ``results.json`` with new names wherever it has label names.

    Args:
        results: its content.
        new: the new names.
        options: the names of the options that hold label names.
    """
    # Every entry with label names is here; histories of labels keep the names of their time.
    renamers: dict[str, Callable[[Any], Any]] = {
        "evaluation": lambda entry: _evaluation(entry, new),
        "data_check": lambda entry: _data_check(entry, new),
        "continued": lambda entry: _continued(entry, new),
        "tuning": lambda entry: _tuning(entry, new, options),
        CASCADE: lambda entry: _cascade(entry, new),
        DECISIONS: lambda entry: [_decisions(each, new, options) for each in entry],
    }
    return {
        key: renamers[key](value) if key in renamers and value else value
        for key, value in results.items()
    }


def _evaluation(entry: Any, new: Names) -> Any:
    if not isinstance(entry, dict):
        return entry
    cells = {
        key: _renamed_cells(entry[key], new)
        for key in ("mistakes", "suspicious_labels")
        if key in entry
    }
    tables = object_or_empty(entry.get("tables"))
    renamed = {
        name: _renamed_axes(_renamed_cells(table, new), new) for name, table in tables.items()
    }
    return {**entry, **cells, **({"tables": renamed} if tables else {})}


def _cascade(entry: Any, new: Names) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {**entry, "margins": renamed_value(entry.get("margins"), new)}


def _data_check(entry: Any, new: Names) -> Any:
    if not isinstance(entry, dict):
        return entry
    counts = object_or_empty(entry.get("label_counts"))
    changed: dict[str, Any] = {}
    if counts:
        changed["label_counts"] = {part: renamed_value(of, new) for part, of in counts.items()}
    findings = entry.get("findings")
    if isinstance(findings, list):
        changed["findings"] = [_finding(each, new) for each in findings]
    return {**entry, **changed}


def _finding(finding: Any, new: Names) -> Any:
    """Return a finding with new names in its sentences, which quote the names."""
    kind = str(object_or_empty(finding).get("kind"))
    if "labels" not in kind:
        return finding
    quoted = {cell(old): cell(name) for old, name in new.items()}
    either = "|".join(map(re.escape, sorted(quoted, key=len, reverse=True)))
    # A text that equals a name is not a label.
    pattern = re.compile(f"({either})" + (r"(?! \()" if kind == _WITH_TEXTS else ""))

    def renamed(text: Any) -> Any:
        return pattern.sub(lambda m: quoted[m[0]], text) if isinstance(text, str) else text

    examples = finding.get("examples")
    changed = {"message": renamed(finding.get("message"))}
    if isinstance(examples, list):
        changed["examples"] = [renamed(each) for each in examples]
    return {**finding, **changed}


def _continued(entry: Any, new: Names) -> Any:
    if not isinstance(entry, dict) or "new_labels" not in entry:
        return entry
    return {**entry, "new_labels": renamed_value(entry["new_labels"], new)}


def _tuning(entry: Any, new: Names, options: Collection[str]) -> Any:
    """Return a tuning with new names in the values of options, and in ``class_weights.NAME``."""
    if not isinstance(entry, dict):
        return entry

    def parameter(name: Any) -> Any:
        group, dot, key = str(name).partition(".")
        return f"{group}.{new.get(key, key)}" if dot and group in options else name

    def value(name: Any, item: Any) -> Any:
        if name not in options:
            return item
        if isinstance(item, str) and item.startswith(("{", "[")):
            return json.dumps(renamed_value(json.loads(item), new))
        return renamed_value(item, new)

    changed: dict[str, Any] = {}
    for key in ("best", "importance"):
        if isinstance(entry.get(key), dict):
            changed[key] = {parameter(n): value(n, item) for n, item in entry[key].items()}
    if isinstance(entry.get("of_fine_tuning"), list):
        changed["of_fine_tuning"] = [parameter(name) for name in entry["of_fine_tuning"]]
    trials = entry.get("trials")
    if isinstance(trials, dict) and {"columns", "rows"} <= set(trials):
        columns = trials["columns"]
        rows = [[value(n, c) for n, c in zip(columns, r, strict=True)] for r in trials["rows"]]
        changed["trials"] = {**trials, "columns": [*map(parameter, columns)], "rows": rows}
    return {**entry, **changed}


def _decisions(entry: Any, new: Names, options: Collection[str]) -> Any:
    """Return an entry of the history of decisions, whose values by label get the new names."""
    if not isinstance(entry, dict):
        return entry
    changed = {}
    for when in ("old", "new"):
        values = object_or_empty(entry.get(when))
        named = {n: renamed_value(item, new) for n, item in values.items() if n in options}
        if named:
            changed[when] = {**values, **named}
    return {**entry, **changed}


def _renamed_axes(table: Any, new: Names) -> Any:
    """Return a table with new names where its index or its columns are labels."""
    if not isinstance(table, dict):
        return table
    return table | {
        axis: [new.get(name, name) for name in table[axis]]
        for axis in ("index", "columns")
        if _are_labels(table.get(axis), new)
    }


def _are_labels(names: Any, new: Names) -> bool:
    """Return whether names are all labels in their order, or some that are no numbers of rows.

    A table of confused spans has a name for no span after the labels.
    """
    if not isinstance(names, list) or not names:
        return False
    if names[: len(new)] == list(new):
        return True
    return all(name in new and not str(name).isdecimal() for name in names)


def _renamed_cells(table: Any, new: Names) -> Any:
    if not isinstance(table, dict) or not {"columns", "rows"} <= set(table):
        return table
    if table["columns"] == list(new):
        return table
    holds = [name in _COLUMNS for name in table["columns"]]
    return {
        **table,
        "rows": [
            [
                _renamed_cell(item, new) if is_label else item
                for item, is_label in zip(row, holds, strict=True)
            ]
            for row in table["rows"]
        ],
    }


def _renamed_cell(item: Any, new: Names) -> Any:
    return new.get(item, item) if isinstance(item, str) else renamed_value(item, new)
