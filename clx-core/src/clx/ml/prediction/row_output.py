"""Make rows of an output from texts: the columns of the source with those of the predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ClxError, DataFormatError
from clx.ml.data.tables.json_types import array_of, arrow_type, checked_shape, plain
from clx.ml.prediction.predict import CutTexts
from clx.problems import names

if TYPE_CHECKING:
    import pyarrow as pa

ERROR = "error"
"""The column that says why a row has no prediction."""


@dataclass(frozen=True)
class Columns:
    """The names of the columns of an output.

    Attributes:
        carried: the columns of the source, in order.
        prefix: the prefix of the names of the predicted columns.
        with_errors: whether there is a column for errors.
        option: the caller's option that chooses the carried columns.
    """

    carried: tuple[Any, ...]
    prefix: str = ""
    with_errors: bool = False
    option: str = "columns"

    def names(self, predicted: Sequence[str]) -> dict[str, str]:
        """Return the name that each predicted column has in the output.

        Raises:
            DataFormatError: the source has columns of these names.
        """
        taken = set(self.carried)
        given = {name: f"{self.prefix}{name}" for name in predicted}
        given = {
            name: f"predicted_{name}" if new in taken and not self.prefix else new
            for name, new in given.items()
        }
        clash = sorted(set(given.values()) & taken)
        if clash:
            raise DataFormatError(
                f"The data already has the columns {names(clash)}, as after an earlier prediction. "
                f"Choose other names with prefix='second_', or leave them out with "
                f"{self.option}=[...]"
            )
        return given


def predict_rows(
    texts: Sequence[str],
    cut: CutTexts,
    rows: Callable[[list[str], CutTexts], list[dict[str, Any]]],
    skip: bool,
) -> tuple[list[dict[str, Any] | None], dict[int, str]]:
    """Return the predicted columns for each text, and the errors of those that have none.

    Args:
        texts: what to predict.
        cut: records which texts were truncated.
        rows: predicts some texts.
        skip: whether to leave out a text that fails, which is found by predicting the texts singly.
    """
    if not texts:
        return [], {}
    try:
        return list(rows(list(texts), cut)), {}
    except Exception as error:
        if not skip or not _is_about_a_text(error):
            raise
    cut.flags.clear()
    found: list[dict[str, Any] | None] = []
    errors: dict[int, str] = {}
    for place, text in enumerate(texts):
        one = CutTexts(cut.name, warn=False)
        try:
            found += rows([text], one)
            cut.flags += one.flags
        except Exception as error:
            if not _is_about_a_text(error):
                raise
            found.append(None)
            cut.flags.append(False)
            errors[place] = f"{type(error).__name__}: {error}"
    return found, errors


def _is_about_a_text(error: Exception) -> bool:
    """Return whether a single text may have caused an error, unlike memory, the disk or the model."""
    if isinstance(error, ClxError):
        return isinstance(error, DataFormatError)
    return not isinstance(error, MemoryError | OSError)


def output_batch(
    source: pa.RecordBatch,
    predicted: Sequence[dict[str, Any] | None],
    errors: dict[int, str],
    columns: Columns,
) -> pa.RecordBatch:
    """Return rows of the output.

    Args:
        source: the rows of the source.
        predicted: the predicted columns of each row, None for a row without a prediction.
        errors: why rows have no prediction, by position.
        columns: the names.

    Raises:
        DataFormatError: the source has columns of the predictions' names.
    """
    import pyarrow as pa

    keys = list(dict.fromkeys(key for row in predicted if row is not None for key in row))
    new = {
        name: _array([None if row is None else plain(row.get(key)) for row in predicted])
        for key, name in columns.names(keys).items()
    }
    if columns.with_errors:
        name = columns.names([ERROR])[ERROR]
        new[name] = pa.array([errors.get(i) for i in range(source.num_rows)], pa.string())
    arrays = [*(source.column(name) for name in columns.carried), *new.values()]
    fields = [
        *(source.schema.field(name).remove_metadata() for name in columns.carried),
        *(pa.field(name, array.type) for name, array in new.items()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _array(values: Sequence[Any]) -> pa.Array:
    return array_of(values, arrow_type(checked_shape(values)))
