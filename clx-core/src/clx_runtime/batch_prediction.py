"""Predict the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clx_runtime.cascade import ANSWERED_BY
from clx_runtime.columns import ON_ERROR, Columns
from clx_runtime.decisions import DecisionRule
from clx_runtime.errors import ConfigError, DataFormatError
from clx_runtime.problems import cell, did_you_mean, examples, names
from clx_runtime.row_texts import texts_of_columns
from clx_runtime.scored import Scored
from clx_runtime.tables import Column, kind_of


@dataclass(frozen=True)
class BatchOptions:
    """How to predict a table; see ``Model.predict_batch``.

    Attributes:
        answered_by: whether to add a column that says which model of a cascade answered.
    """

    text_columns: Sequence[str]
    columns: tuple[str, ...] | None
    prefix: str
    all_scores: bool
    min_score: float | None
    on_error: str
    answered_by: bool = False


def predicted_table(
    table: Any,
    options: BatchOptions,
    rule: DecisionRule,
    scored: Callable[[list[str]], Iterable[Scored]],
) -> Any:
    """Return a table with the columns of the predictions added.

    Args:
        table: the table.
        options: how to predict it.
        rule: how to decide.
        scored: yields the scores of texts.

    Raises:
        ConfigError: ``on_error`` is not valid.
        DataFormatError: see ``Model.predict_batch``.
    """
    if options.on_error not in ON_ERROR:
        raise ConfigError(f"on_error must be 'raise' or 'skip', but is {cell(options.on_error)}")
    skip, kind = options.on_error == "skip", kind_of(table)
    present = kind.names(table)
    _require(present, [*options.text_columns, *(options.columns or ())])
    found = texts_of_columns({name: kind.values(table, name) for name in options.text_columns})
    if found.errors and not skip:
        place = min(found.errors)
        raise DataFormatError(
            f"{len(found.errors)} of {len(found.texts)} rows have no valid text "
            f"({examples(sorted(found.errors))}); row {place}: {found.errors[place]}"
        )
    good = [place for place in range(len(found.texts)) if place not in found.errors]
    rows = _rows([found.texts[place] for place in good], options, rule, scored)
    carried = present if options.columns is None else options.columns
    output = Columns(tuple(carried), options.prefix, skip)
    called = output.names(list(rows))
    added: dict[str, Column] = {
        called[name]: (_spread(values, good, len(found.texts)), column_type)
        for name, (values, column_type) in rows.items()
    }
    if skip:
        errors = [found.errors.get(place) for place in range(len(found.texts))]
        added[output.error_name(list(added))] = (errors, str)
    return kind.extended(table, options.columns, added)


def _rows(
    texts: list[str],
    options: BatchOptions,
    rule: DecisionRule,
    scored: Callable[[list[str]], Iterable[Scored]],
) -> dict[str, Column]:
    """Return the columns of the predictions of some texts."""
    types = rule.column_types(all_scores=options.all_scores)
    own = ["truncated", *([ANSWERED_BY] if options.answered_by else [])]
    columns: dict[str, list[Any]] = {name: [] for name in [*types, *own]}
    for some in scored(texts) if texts else ():
        found = rule.columns(
            some.scores, all_scores=options.all_scores, min_score=options.min_score
        )
        found |= {"truncated": some.truncated}
        if options.answered_by:
            found[ANSWERED_BY] = some.answered_by or []
        for name, values in found.items():
            columns[name] += values
    types = {"truncated": bool, ANSWERED_BY: str, **types}
    return {name: (values, types[name]) for name, values in columns.items()}


def _spread(values: Sequence[Any], places: Sequence[int], rows: int) -> list[Any]:
    """Return values at their places, with None elsewhere."""
    found: list[Any] = [None] * rows
    for place, value in zip(places, values, strict=True):
        found[place] = value
    return found


def _require(present: Sequence[Any], needed: Sequence[str]) -> None:
    shown = [str(name) for name in present]
    for name in needed:
        if name not in present:
            raise DataFormatError(
                f"There is no column {name!r}; the columns are {names(shown)}"
                f"{did_you_mean(name, shown)}"
            )
