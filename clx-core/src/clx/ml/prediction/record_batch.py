"""Predict the rows of a table: one implementation for files, for parts of them, and for engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.ml.data.tables.json_types import Shape, array_of, arrow_type, checked_shape, plain
from clx.ml.prediction.output_types import Types, unfit_rows
from clx.ml.prediction.predict import CutTexts
from clx.ml.prediction.row_output import predict_rows
from clx.ml.prediction.text_rows import raise_for_rows
from clx.ml.prediction.windows import ColumnRows
from clx_runtime.columns import Columns
from clx_runtime.row_texts import RowTexts

if TYPE_CHECKING:
    import pyarrow as pa

RowFunction = Callable[[list[str], CutTexts], Sequence[Mapping[str, Any]]]
"""Returns the prediction's columns for each text, and records which texts were truncated."""


@dataclass(frozen=True)
class RowPrediction:
    """How to predict rows.

    Attributes:
        rows: predicts some texts.
        text_columns: the columns of texts.
        skip: whether to leave bad rows without a prediction, instead of raising.
        types: the types that the columns of the predictions must have, None for any.
    """

    rows: RowFunction
    text_columns: Sequence[str]
    skip: bool = False
    types: Types | None = None


@dataclass(frozen=True)
class PredictedRows:
    """The predictions of some rows.

    Attributes:
        rows: the predicted columns of each row, None for a bad one.
        errors: the errors of the bad rows, by position.
        texts: how many rows have a text.
        truncated: how many texts were truncated.
        limit: the most tokens of a text that the model reads, None for no limit or if it is not known.
    """

    rows: Sequence[Mapping[str, Any] | None]
    errors: dict[int, str]
    texts: int
    truncated: int
    limit: int | None


def predicted_rows(how: RowPrediction, found: RowTexts, first: int = 0) -> PredictedRows:
    """Predict some rows.

    Args:
        how: how to predict them.
        found: their texts.
        first: the number of the first row, for messages.

    Raises:
        DataFormatError: a row has no valid text, and ``how.skip`` is not set.
    """
    if not how.skip:
        raise_for_rows(found.errors, first, how.text_columns)
    good = [place for place in range(len(found.texts)) if place not in found.errors]
    cut = CutTexts(lambda place: first + good[place], warn=False)
    predicted, failed = predict_rows(
        [found.texts[place] for place in good], cut, how.rows, how.skip
    )
    if isinstance(predicted, ColumnRows):
        # The columns of a rule have the types that the task declares by it.
        spread = predicted.spread(good, len(found.texts))
        return PredictedRows(spread, dict(found.errors), len(good), sum(cut.flags), cut.limit)
    if how.types is not None:
        failed |= unfit_rows(predicted, how.types, how.skip, lambda place: first + good[place])
    errors = {**found.errors, **{good[place]: error for place, error in failed.items()}}
    rows: list[Mapping[str, Any] | None] = [None] * len(found.texts)
    for place, row in zip(good, predicted, strict=True):
        rows[place] = None if place in errors else row
    return PredictedRows(rows, errors, len(good), sum(cut.flags), cut.limit)


def added_columns(
    predicted: PredictedRows, columns: Columns, types: Types | None = None
) -> dict[str, pa.Array]:
    """Return the columns of the predictions, by their names in the output.

    Args:
        predicted: the predictions of some rows.
        columns: the names.
        types: the types of the columns, None to take those of the values.

    Raises:
        DataFormatError: the source has columns of the predictions' names.
    """
    rows = predicted.rows
    if types is None:
        # The rows of a rule all have the same columns.
        some = rows[:1] if isinstance(rows, ColumnRows) else rows
        found = dict.fromkeys(key for row in some if row is not None for key in row)
        types = {key: checked_shape(_values(rows, key)) for key in found}
    names = columns.names(list(types))
    added = {
        names[key]: array_of(_values(rows, key), arrow_type(shape)) for key, shape in types.items()
    }
    if columns.with_errors:
        errors = [predicted.errors.get(place) for place in range(len(rows))]
        added[columns.error_name(list(added))] = array_of(errors, arrow_type(Shape("str")))
    return added


def _values(rows: Sequence[Mapping[str, Any] | None], key: str) -> list[Any]:
    if isinstance(rows, ColumnRows):
        return rows.columns[key]
    return [None if row is None else plain(row.get(key)) for row in rows]


def output_batch(source: pa.RecordBatch, added: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """Return rows of the output, without the metadata of the source.

    Args:
        source: the carried columns of the source.
        added: the columns of the predictions, by name.
    """
    import pyarrow as pa

    fields = [field.remove_metadata() for field in source.schema]
    fields += [pa.field(name, array.type) for name, array in added.items()]
    return pa.RecordBatch.from_arrays([*source.columns, *added.values()], schema=pa.schema(fields))
