"""The rows of a source: one schema, and record batches that can be read repeatedly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from clx.errors import DataFormatError
from clx.ml.data.arrow_values import features_of, is_json
from clx.ml.data.problems import repeated_names
from clx.ml.data.tables.json_types import array_of, plain
from clx.problems import names

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Rows:
    """An opened source.

    Attributes:
        name: the source in messages.
        schema: the columns of all rows, whichever part of the source they are in.
        read: yields the rows anew at each call, in order, as record batches of any size.
        count: the number of rows, None if it is not known before they are read.
        text_cells: whether every cell is text, as in a csv file. An empty cell is null there.
        lacking: the columns that some of the files lack, each with the first such file.
        sources: the rows of the single files, if there are several.
    """

    name: str
    schema: pa.Schema
    read: Callable[[], Iterator[pa.RecordBatch]]
    count: int | None = None
    text_cells: bool = False
    lacking: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Rows, ...] = ()

    def table(self) -> pa.Table:
        """Return all rows."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self.read()), self.schema)

    def parts(self, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of exactly ``rows`` rows; the last one may have fewer."""
        waiting: list[pa.RecordBatch] = []
        held = 0
        for batch in self.read():
            rest = batch
            while held + rest.num_rows >= rows:
                yield self._joined([*waiting, rest.slice(0, rows - held)])
                rest, waiting, held = rest.slice(rows - held), [], 0
            if rest.num_rows:
                waiting.append(rest)
                held += rest.num_rows
        if held:
            yield self._joined(waiting)

    def after(self, rows: int) -> Rows:
        """Return the same source without its first rows, which are read and dropped."""

        def read() -> Iterator[pa.RecordBatch]:
            left = rows
            for batch in self.read():
                if left < batch.num_rows:
                    yield batch.slice(left)
                left = max(0, left - batch.num_rows)

        count = None if self.count is None else max(0, self.count - rows)
        return replace(self, read=read, count=count)

    def _joined(self, batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
        import pyarrow as pa

        return pa.concat_batches(batches) if len(batches) > 1 else batches[0]


def refuse_repeated(columns: Sequence[str], where: str) -> None:
    """Raise if two columns have the same name.

    Raises:
        DataFormatError: a column name occurs more than once.
    """
    if repeated := repeated_names(columns):
        raise DataFormatError(f"{where} has more than one column called {names(repeated)}")


def joined_rows(name: str, sources: Sequence[Rows]) -> Rows:
    """Return the rows of several sources, one after the other, with one schema for all.

    A column that a source lacks is null there.

    Raises:
        DataFormatError: a column has types that cannot be combined; the message names the sources.
    """
    if len(sources) == 1:
        return sources[0]
    schema = _common_schema(sources)
    counts = [each.count for each in sources]

    def read() -> Iterator[pa.RecordBatch]:
        for source in sources:
            for batch in source.read():
                try:
                    rows = fitted(batch, schema)
                except DataFormatError as error:
                    raise DataFormatError(f"{source.name}: {error}") from error
                yield rows

    return Rows(
        name,
        schema,
        read,
        None if None in counts else sum(count or 0 for count in counts),
        all(each.text_cells for each in sources),
        {
            column: each.name
            for each in reversed(sources)
            for column in schema.names
            if column not in each.schema.names
        },
        tuple(sources),
    )


def check_conversions(sources: Sequence[Rows], schema: pa.Schema) -> None:
    """Raise if a value does not fit the type that its column has in all sources together.

    Only sources with another type in a column are read.

    Args:
        sources: the rows of the single files.
        schema: the columns to convert to. Others are left out.

    Raises:
        DataFormatError: the message names the source and the column.
    """
    import pyarrow as pa

    for source in sources:
        fields = [field for field in schema if _may_not_fit(source.schema, field)]
        for batch in source.read() if fields else ():
            try:
                fitted(batch.select([field.name for field in fields]), pa.schema(fields))
            except DataFormatError as error:
                raise DataFormatError(f"{source.name}: {error}") from error


def _may_not_fit(schema: pa.Schema, field: pa.Field) -> bool:
    import pyarrow as pa

    if field.name not in schema.names or is_json(field.type):
        return False
    own = schema.field(field.name).type
    return not (own.equals(field.type) or pa.types.is_null(own))


def _common_schema(sources: Sequence[Rows]) -> pa.Schema:
    import pyarrow as pa

    sources = _encoded_alike(sources)
    schema = sources[0].schema
    for place, source in enumerate(sources):
        try:
            schema = pa.unify_schemas([schema, source.schema], promote_options="permissive")
        except pa.ArrowException as error:
            raise DataFormatError(_different_types(sources[:place], source)) from error
    _refuse_other_names(sources)
    return schema


def _encoded_alike(sources: Sequence[Rows]) -> list[Rows]:
    """Return the sources with schemas in which all or none of them have a column of categories.

    A column of categories, as pandas and polars write it, has the same values as one of texts.
    """
    import pyarrow as pa

    plain = {
        field.name
        for each in sources
        for field in each.schema
        if not pa.types.is_dictionary(field.type)
    }
    return [
        replace(
            each,
            schema=pa.schema(
                [
                    field.with_type(field.type.value_type)
                    if pa.types.is_dictionary(field.type) and field.name in plain
                    else field
                    for field in each.schema
                ],
                metadata=each.schema.metadata,
            ),
        )
        for each in sources
    ]


def _refuse_other_names(sources: Sequence[Rows]) -> None:
    """Refuse files that give the same class id different names: one list of names decodes all rows."""
    first: dict[str, tuple[str, str]] = {}
    for source in sources:
        features = features_of(source.schema)
        for column in source.schema.names:
            stored = json.dumps(features.get(column), sort_keys=True)
            named = stored if "ClassLabel" in stored else ""
            before, other = first.setdefault(column, (named, source.name))
            if named != before:
                raise DataFormatError(
                    f"{other} and {source.name} cannot be combined: the class ids of the column "
                    f"{column!r} have different names, or names in one of them only. Write the names "
                    f"instead of the ids, or read the files one by one."
                )


def _different_types(before: Sequence[Rows], source: Rows) -> str:
    """Return the message for a source with a column that has another type in an earlier one."""
    import pyarrow as pa

    for column in source.schema:
        for earlier in (each for each in before if column.name in each.schema.names):
            other = earlier.schema.field(column.name)
            try:
                pa.unify_schemas(
                    [pa.schema([other]), pa.schema([column])], promote_options="permissive"
                )
            except pa.ArrowException:
                return (
                    f"{earlier.name} and {source.name} cannot be combined: the column "
                    f"{column.name!r} has {_called(other.type)} in the former, and "
                    f"{_called(column.type)} in the latter. Convert one of them, or read them one by "
                    f"one."
                )
    return f"{source.name} and {names([each.name for each in before])} cannot be combined"


def _called(kind: pa.DataType) -> str:
    return "values of several types" if is_json(kind) else f"the type {kind}"


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that fits the values of both types, JSON if there is none."""
    import pyarrow as pa

    if one.equals(other):
        return one
    if is_json(one) or is_json(other):
        return one if is_json(one) else other
    try:
        schemas = [pa.schema([("x", one)]), pa.schema([("x", other)])]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.json_(pa.string())


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the columns of a schema that its own schema was promoted to."""
    import pyarrow as pa

    if batch.schema.equals(schema):
        return batch
    present = set(batch.schema.names)
    arrays = [
        _converted(batch.column(field.name), field)
        if field.name in present
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _converted(array: pa.Array, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    kind = field.type
    if array.type.equals(kind):
        return array
    if is_json(kind):
        return array_of([plain(value) for value in array.to_pylist()], kind)
    try:
        return array.cast(kind)
    except pa.ArrowInvalid as error:
        # Such as an integer beyond 2**53 beside floats.
        raise DataFormatError(
            f"column {field.name!r} has the type {array.type}, and {kind} elsewhere, but not all "
            f"values can be converted: {error}"
        ) from error
