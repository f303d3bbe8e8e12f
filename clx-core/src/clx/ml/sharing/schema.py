"""Schemas of results: which values are names, options, facts, or texts of the data.

A schema is a function of a value, of its place in the results, and of the sieve that collects what is
left out. It returns the value for others, or :data:`LEFT_OUT`. A value that does not match its
schema is treated as an unknown entry; see :func:`unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from clx.ml.results.json_tables import is_finite_number
from clx.ml.sharing.cleaning import clean_options, clean_values, holds_token, is_path, last_part


@dataclass
class Sieve:
    """The rules for values besides their schemas, and the list of what was left out so far.

    Attributes:
        labels: the names of the labels.
        include_texts: whether texts of the data are shared.
        texts: the texts that were left out.
        private: the paths, addresses and secrets that were left out.
    """

    labels: Collection[str]
    include_texts: bool = False
    texts: list[str] = field(default_factory=list)
    private: list[str] = field(default_factory=list)

    def note_text(self, what: str) -> None:
        """Record texts that are left out, each kind once."""
        if what not in self.texts:
            self.texts.append(what)

    def note_private(self, what: str) -> None:
        """Record a private value that is left out, each place once."""
        if what not in self.private:
            self.private.append(what)


Schema: TypeAlias = Callable[[Any, str, Sieve], Any]

LEFT_OUT = object()
"""A schema returns this for a value that is not shared."""

_KEY = re.compile(r"[\w.-]{1,60}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[\d:.+ -]{0,30}")


def unknown(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep only numbers and label names; if texts are shared, keep all but paths and secrets."""
    return facts(value, where, sieve) if sieve.include_texts else _numbers(value, where, sieve)


def facts(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep a value that holds no text of the data, without paths and secrets."""
    parent, _, key = where.rpartition(".")
    cleaned, found = clean_values({key: value})
    for each in found:
        sieve.note_private(_private(f"{parent}.{each}" if parent else each))
    return cleaned.get(key, LEFT_OUT)


def label(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep the name of a label, also of an earlier one; it may look like a path."""
    return value if isinstance(value, str) else unknown(value, where, sieve)


def name(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep the name of a run, a metric, or an option."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or holds_token(value):
        return unknown(value, where, sieve)
    if not is_path(value):
        return value
    sieve.note_private(_private(where))
    return last_part(value)


def time(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep a date and time."""
    known = isinstance(value, str) and _TIME.fullmatch(value)
    return value if known else unknown(value, where, sieve)


def digest(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep the identity of a run."""
    known = isinstance(value, str) and _DIGEST.fullmatch(value)
    return value if known else unknown(value, where, sieve)


def options(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep the values of options, by name, as the config does."""
    if not isinstance(value, Mapping):
        return unknown(value, where, sieve)
    cleaned, found = clean_options(value)
    for each in found:
        sieve.note_private(_private(f"{where}.{each}"))
    return cleaned


def option(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep the value of the option that the place ends with."""
    parent, _, key = where.rpartition(".")
    return options({key: value}, parent, sieve).get(key, LEFT_OUT)


def address(value: Any, where: str, sieve: Sieve) -> Any:
    """Leave out a location: a folder, a server, or an account."""
    if value is not None:
        sieve.note_private(f"the address in {where!r}")
    return LEFT_OUT


def record(schemas: Mapping[str, Schema]) -> Schema:
    """Return the schema of an object with these entries; its other entries are unknown."""

    def keep(value: Any, where: str, sieve: Sieve) -> Any:
        if not isinstance(value, Mapping):
            return unknown(value, where, sieve)
        return _without_left_out(
            {
                key: schemas.get(key, _other)(item, f"{where}.{key}" if where else key, sieve)
                for key, item in value.items()
            }
        )

    return keep


def each(schema: Schema) -> Schema:
    """Return the schema of a list, or of an object by name or label, whose items have this one."""

    def keep(value: Any, where: str, sieve: Sieve) -> Any:
        if isinstance(value, list):
            kept = [schema(item, where, sieve) for item in value]
            return [item for item in kept if item is not LEFT_OUT]
        if isinstance(value, Mapping):
            return _without_left_out(
                {key: schema(item, f"{where}.{key}", sieve) for key, item in value.items()}
            )
        return unknown(value, where, sieve)

    return keep


def items(schema: Schema) -> Schema:
    """Return the schema of a list whose items have this one."""
    kept = each(schema)
    return lambda value, where, sieve: (
        kept(value, where, sieve) if isinstance(value, list) else unknown(value, where, sieve)
    )


def table(columns: Mapping[str, Schema], others: Schema = unknown) -> Schema:
    """Return the schema of a table by its columns; see ``results/json_tables.py``."""

    def keep(value: Any, where: str, sieve: Sieve) -> Any:
        if not _is_table(value):
            return unknown(value, where, sieve)
        names = [str(column) for column in value["columns"]]
        schemas = [columns.get(column, others) for column in names]
        rows = [
            [
                schema(cell, f"{where}.{column}", sieve)
                for schema, column, cell in zip(schemas, names, row, strict=True)
            ]
            for row in value["rows"]
        ]
        return {
            "index": [name(item, where, sieve) for item in value["index"]],
            "columns": [name(item, where, sieve) for item in value["columns"]],
            "rows": [[None if cell is LEFT_OUT else cell for cell in row] for row in rows],
        }

    return keep


def _without_left_out(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in values.items() if item is not LEFT_OUT}


def _other(value: Any, where: str, sieve: Sieve) -> Any:
    """Keep an entry of an object that its schema does not know. Its key may be a text, too."""
    parent, _, key = where.rpartition(".")
    if sieve.include_texts or key in sieve.labels or _KEY.fullmatch(key):
        return unknown(value, where, sieve)
    sieve.note_text(f"words under {parent!r}" if parent else "an entry with words for a name")
    return LEFT_OUT


def _is_table(value: Any) -> bool:
    if not isinstance(value, Mapping) or set(value) != {"index", "columns", "rows"}:
        return False
    if not all(isinstance(part, list) for part in value.values()):
        return False
    width = len(value["columns"])
    return all(isinstance(row, list) and len(row) == width for row in value["rows"])


def _private(where: str) -> str:
    return f"the path or secret in {where!r}"


def _numbers(value: Any, where: str, sieve: Sieve) -> Any:
    """Return a value with only its numbers and label names."""
    note = f"words under {where!r}"
    if isinstance(value, Mapping):
        named = {k: v for k, v in value.items() if k in sieve.labels or _KEY.fullmatch(k)}
        if len(named) < len(value):
            sieve.note_text(note)
        return {key: _numbers(item, where, sieve) for key, item in named.items()}
    if isinstance(value, list):
        return [_numbers(item, where, sieve) for item in value]
    if value is None or is_finite_number(value) or value in sieve.labels:
        return value
    sieve.note_text(note)
    return None
