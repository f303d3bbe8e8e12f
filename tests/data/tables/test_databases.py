"""Queries of SQLite and DuckDB databases: every row and value, and nothing is written."""

import shutil
import sqlite3
import sys
from urllib.parse import quote, quote_plus

import duckdb
import pytest

from clx.errors import DataFormatError, MissingDependencyError
from clx.ml.data.tables.databases import BATCH_ROWS, parse_query
from clx.ml.data.tables.sources import open_rows

QUERY = "select text, label from rows where text <> 'a+b' and label <> '100%25' order by id"


@pytest.fixture(scope="module")
def duck_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("duck") / "file.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            "create table rows as select range as id, 'text ' || range as text from range(10000)"
        )
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch, duck_file):
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("file.db") as connection:
        connection.execute("create table rows (id integer primary key, text, label, score)")
        connection.executemany(
            "insert into rows (text, label, score) values (?, ?, ?)",
            [("ripe apple", "fruit", 0.5), ('odd "cat"\r\n', "animal", None), ("a+b", "sum", 1.0)],
        )
    connection.close()
    shutil.copy(duck_file, "file.duckdb")
    return tmp_path


def rows_of(source, **options):
    rows = open_rows(source, **options)
    table = rows.table()
    assert table.schema.equals(rows.schema)
    return table.to_pylist()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("written", [str, quote, quote_plus])
def test_a_query_is_plain_or_encoded(folder, written, keep):
    found = rows_of(f"sqlite:///file.db?query={written(QUERY)}", keep=keep)
    assert found == [
        {"text": "ripe apple", "label": "fruit"},
        {"text": 'odd "cat"\r\n', "label": "animal"},
    ]


def test_three_slashes_are_the_working_directory_and_four_the_root(folder):
    for start in ("", "/"):
        query = parse_query(f"sqlite:///{start and folder}{start}file.db?query=select 1 as one")
        assert query.path.is_absolute() == bool(start)
    assert len(rows_of(f"sqlite:///{folder}/file.db?table=rows")) == 3
    assert f"sqlite:///{folder}".startswith("sqlite:////")


def test_a_table_has_all_its_columns_also_without_rows(folder):
    with sqlite3.connect("file.db") as connection:
        connection.execute('create table "odd ""name" (text, label)')
    connection.close()
    assert open_rows('sqlite:///file.db?table=odd "name').schema.names == ["text", "label"]
    assert rows_of("sqlite:///file.db?table=rows")[0] == {
        "id": 1,
        "text": "ripe apple",
        "label": "fruit",
        "score": 0.5,
    }


def test_one_type_for_all_rows_of_a_column_that_changes_late(folder):
    with sqlite3.connect("file.db") as connection:
        connection.execute("create table many (n, whole)")
        values = [(n, n) for n in range(BATCH_ROWS + 5)]
        connection.executemany("insert into many values (?, ?)", [*values, ("x", 2**62)])
    connection.close()
    rows = open_rows("sqlite:///file.db?table=many")
    assert rows.count == BATCH_ROWS + 6
    table = rows.table()
    assert table["whole"][-1].as_py() == 2**62
    assert table["n"].type.extension_name == "arrow.json"
    assert [table["n"][place].as_py() for place in (0, -1)] == ["0", '"x"']


def test_bytes_become_base64(folder):
    assert rows_of("sqlite:///file.db?query=select x'00ff' as data") == [{"data": "AP8="}]


def test_the_database_cannot_be_written(folder):
    for query in ("delete from rows", "drop table rows", "insert into rows (text) values ('x')"):
        with pytest.raises(DataFormatError, match="readonly"):
            open_rows(f"sqlite:///file.db?query={query}")
        with pytest.raises(DataFormatError, match=r"file\.duckdb"):
            open_rows(f"duckdb:///file.duckdb?query={query}")
    assert len(rows_of("sqlite:///file.db?table=rows")) == 3
    assert len(rows_of("duckdb:///file.duckdb?table=rows")) == 10000


def test_duckdb_streams_all_rows_in_order(folder):
    rows = open_rows("duckdb:///file.duckdb?query=select * from rows order by id")
    batches = list(rows.read())
    assert len(batches) > 1
    assert [n for batch in batches for n in batch["id"].to_pylist()] == list(range(10000))
    assert rows.table().num_rows == 10000


def test_duckdb_enums_are_text_and_values_keep_their_types(folder):
    query = "select 'x'::enum('x', 'y') as label, 9007199254740993 as n, [1, null] as list"
    assert rows_of(f"duckdb:///file.duckdb?query={query}") == [
        {"label": "x", "n": 9007199254740993, "list": [1, None]}
    ]
    assert (
        str(open_rows(f"duckdb:///file.duckdb?query={query}").schema.field("label").type)
        == "string"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("sqlite:///file.db?query=select txt from rows", r"file\.db \(select txt.*column: txt"),
        ("sqlite:///file.db?table=row", r"no such table: row \(its tables are rows\)"),
        ("sqlite:///file.db?query=selec", "syntax error"),
        ("sqlite:///file.db?query=select 1 as a, 2 as a", "more than one column called a"),
        ("sqlite:///file.db", "names no query: pass 'sqlite:///file.db"),
        ("sqlite:///file.db?query=", "names no query"),
        ("sqlite://file.db?query=select 1", "three slashes"),
        ("sqlite:///none.db?query=select 1", "There is no database 'none.db'"),
        ("sqlite:///file.duckdb?table=rows", r"file\.duckdb .*not a database"),
        ("duckdb:///file.duckdb?query=select txt from rows", r"file\.duckdb \(select txt.*txt"),
        ("duckdb:///file.duckdb?table=row", "row"),
        # Arrow has no such type: DuckDB would hand over -1.
        (f"duckdb:///file.duckdb?query=select {2**128 - 1}::uhugeint as n", "n::varchar"),
        ("duckdb:///none.db?table=rows", "There is no database"),
        ("duckdb:///file.db", "names no query: pass 'duckdb:///file.db"),
        ("file.db", "file.db is a database: pass 'sqlite:///file.db"),
    ],
)
def test_errors_name_the_file_and_the_query(folder, source, said):
    with pytest.raises(DataFormatError, match=said):
        open_rows(source)


def test_an_error_in_a_late_row_is_named(folder):
    with sqlite3.connect("file.db") as connection:
        connection.execute("create table bad (text)")
        connection.execute("insert into bad values ('a'), (cast(x'ff' as text))")
    connection.close()
    with pytest.raises(DataFormatError, match=r"file\.db \(select \* from .*UTF-8"):
        open_rows("sqlite:///file.db?table=bad")


def test_without_duckdb_the_error_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[duckdb\]'"):
        open_rows("duckdb:///file.duckdb?table=rows")
