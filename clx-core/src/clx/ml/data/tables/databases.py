"""Queries of SQLite and DuckDB databases: ``sqlite:///file.db?query=select text, label from rows``."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_plus

from clx.errors import DataFormatError, MissingDependencyError
from clx.ml.data.tables.addresses import DATABASES
from clx.ml.data.tables.json_rows import rows_of_stream
from clx.ml.data.tables.json_types import plain
from clx.ml.data.tables.rows import Rows, refuse_repeated
from clx.problems import names

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 4096
LONGEST_QUERY = 200

DATABASE_SUFFIXES = {
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".duckdb": "duckdb",
}

ADDRESS = re.compile(rf"({'|'.join(DATABASES)}):///([^?]*)(?:\?(.*))?", re.DOTALL | re.I)

ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|\+")


@dataclass(frozen=True)
class Query:
    """A query of a database.

    Attributes:
        engine: ``sqlite`` or ``duckdb``.
        path: the file of the database.
        sql: the query.
    """

    engine: str
    path: Path
    sql: str

    @property
    def name(self) -> str:
        """The query in messages."""
        short = " ".join(self.sql.split())
        short = short if len(short) <= LONGEST_QUERY else short[: LONGEST_QUERY - 1] + "…"
        return f"{self.path} ({short})"


def is_query(source: str) -> bool:
    """Return whether the source is the address of a database."""
    return source.partition(":")[0].lower() in DATABASES and "://" in source


def is_database(path: str) -> bool:
    """Return whether a file name belongs to a database."""
    return Path(path).suffix.lower() in DATABASE_SUFFIXES


def database_advice(path: str) -> str:
    """Return what to pass for a database file: an address with a query."""
    engine = DATABASE_SUFFIXES[Path(path).suffix.lower()]
    return f"{path} is a database: pass '{engine}:///{path}?query=select …'"


def open_query(source: str, keep: bool = False) -> Rows:
    """Open the rows of a query.

    The address is ``sqlite:///`` or ``duckdb:///``, the file (a fourth slash begins an absolute path),
    and ``?query=`` with the query as plain or URL-encoded text, or ``?table=`` with a name.

    Args:
        source: the address.
        keep: run the query once and keep its rows in memory.

    Raises:
        DataFormatError: the address, the file or the query is wrong.
        MissingDependencyError: the extra is needed: ``pip install 'clx-core[duckdb]'``.
    """
    query = parse_query(source)
    try:
        return _open_sqlite(query, keep) if query.engine == "sqlite" else _open_duckdb(query)
    except sqlite3.Error as error:
        raise _failed(query, error) from error


def parse_query(source: str) -> Query:
    """Return the parts of a database's address.

    Raises:
        DataFormatError: the address is not valid, or there is no such file.
    """
    match = ADDRESS.fullmatch(source)
    engine = source.partition(":")[0].lower()
    form = f"{engine}:///file.db?query=select …"
    if match is None:
        raise DataFormatError(
            f"{source!r} does not have the form '{form}': three slashes precede a path from "
            f"the working directory, four an absolute one"
        )
    path = _existing(match.group(2))
    key, _, value = (match.group(3) or "").partition("=")
    if key not in ("query", "table") or not value.strip():
        raise DataFormatError(f"{source!r} names no query: pass '{form}', or '?table=' and a name")
    if not re.search(r"\s", value) and ENCODED.search(value):
        value = unquote_plus(value)
    if key == "table":
        value = 'select * from "{}"'.format(value.replace('"', '""'))
    return Query(engine, path, value)


def _existing(path: str) -> Path:
    plain_path, decoded = Path(path).expanduser(), Path(unquote_plus(path)).expanduser()
    for each in (plain_path, decoded):
        if each.is_file():
            return each
    raise DataFormatError(f"There is no database {path!r} (looked in {Path.cwd()})")


def _failed(query: Query, error: Exception) -> DataFormatError:
    return DataFormatError(f"{query.name}: {error}")


def _open_sqlite(query: Query, keep: bool) -> Rows:
    with _sqlite_cursor(query) as cursor:
        columns = [each[0] for each in cursor.description]
    refuse_repeated(columns, query.name)

    def objects() -> Iterator[dict[str, Any]]:
        with _sqlite_cursor(query) as cursor:
            while rows := cursor.fetchmany(BATCH_ROWS):
                for row in rows:
                    yield dict(zip(columns, map(plain, row), strict=True))

    return rows_of_stream(query.name, objects, columns, keep)


@contextlib.contextmanager
def _sqlite_cursor(query: Query) -> Iterator[sqlite3.Cursor]:
    """Run the query on a connection that cannot write."""
    address = f"file:{quote(str(query.path))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, check_same_thread=False)
    try:
        try:
            cursor = connection.execute(query.sql)
            if cursor.description is None:
                raise DataFormatError(f"{query.name} returns no rows: pass a select statement")
            yield cursor
        except sqlite3.Error as error:
            tables = [
                row[0]
                for row in connection.execute("select name from sqlite_master where type = 'table'")
            ]
            also = f" (its tables are {names(tables)})" if "no such table" in str(error) else ""
            raise DataFormatError(f"{query.name}: {error}{also}") from error
    finally:
        connection.close()


def _open_duckdb(query: Query) -> Rows:
    import pyarrow as pa

    with _duckdb_reader(query) as reader:
        stored = reader.schema
    refuse_repeated(stored.names, query.name)
    # The values of an enum are not the same in each batch of a dictionary.
    plain_types = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in stored
    ]
    schema = pa.schema(plain_types)

    def read() -> Iterator[pa.RecordBatch]:
        with _duckdb_reader(query) as reader:
            for batch in reader:
                yield batch.cast(schema)

    return Rows(query.name, schema, read)


def _refuse_wrapped(query: Query, relation: Any) -> None:
    """Raise if a column has a type whose values DuckDB changes where Arrow has none for them."""
    types = zip(relation.columns, map(str, relation.types), strict=True)
    changed = [column for column, kind in types if "UHUGEINT" in kind]
    if changed:
        raise DataFormatError(
            f"{query.name}: columns have the type UHUGEINT, which Arrow lacks: {names(changed)}. Cast "
            f"them in the query, such as {changed[0]}::varchar"
        )


@contextlib.contextmanager
def _duckdb_reader(query: Query) -> Iterator[pa.RecordBatchReader]:
    try:
        import duckdb
    except ImportError as error:
        raise MissingDependencyError(
            f"{query.path} needs duckdb ({error}): pip install 'clx-core[duckdb]'"
        ) from error
    try:
        with duckdb.connect(str(query.path), read_only=True) as connection:
            relation = connection.sql(query.sql)
            if relation is None:
                raise DataFormatError(f"{query.name} returns no rows: pass a select statement")
            _refuse_wrapped(query, relation)
            yield relation.to_arrow_reader(BATCH_ROWS)
    except duckdb.Error as error:
        raise _failed(query, error) from error
