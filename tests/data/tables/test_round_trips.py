"""Written values can be read again: format × type → the same value, or the one in the table below.

csv and tsv have text cells only; an empty text is missing there. Parquet and jsonl keep values.
"""

import json
import math

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clx.ml.data.tables.formats import target_format
from clx.ml.data.tables.json_rows import rows_of_objects
from clx.ml.data.tables.json_types import is_json
from clx.ml.data.tables.sources import open_rows
from clx.ml.data.tables.writing import write_rows

FORMATS = ("csv", "tsv", "jsonl", "parquet")

HARD = [
    "",
    '"',
    "'",
    ",",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\\",
    '\\"',
    "#",
    " ",
    "\ufeff",
    "\0",
    "é",
    "語",
    "😀",
]
HARD += ["\u2028", "\x85", "NA", "null", "007", "1.0", "True", '["a"]', "{}", "sep=;"]

TEXTS = st.lists(
    st.one_of(st.sampled_from(HARD), st.text(st.characters(exclude_categories=["Cs"]), max_size=3)),
    max_size=5,
).map("".join)
SURROGATES = st.sampled_from(["\ud800", "a\udfffb"])
INTS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([2**53 + 1, -(2**53) - 1, 0]))
HUGE = st.sampled_from([2**63, -(2**70), 10**30])
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
BOOLS = st.booleans()
ANY = st.recursive(
    st.one_of(st.none(), TEXTS, INTS, HUGE, FLOATS, BOOLS, SURROGATES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)

COLUMNS = {
    "texts": TEXTS,
    "ints": INTS,
    "floats": FLOATS,
    "bools": BOOLS,
    "lists of texts": st.lists(TEXTS, max_size=3),
    "lists of ints": st.lists(st.one_of(st.none(), INTS), max_size=3),
    "dicts": st.fixed_dictionaries({"a": TEXTS, "b": st.one_of(st.none(), INTS)}),
    "anything": ANY,
}
"""The values of one column; None may stand among all of them."""


def round_trip(folder, form, rows):
    """Write and read rows. Returns the schema that they had in memory, and the table that was read."""
    path = folder / f"rows.{form}"
    stored = rows_of_objects("objects", rows)
    write_rows(stored.read(), stored.schema, path, target_format(path.name))
    found = open_rows(path)
    table = found.table()
    assert table.num_rows == len(rows) == found.count
    assert table.schema.equals(found.schema)
    assert open_rows(path, keep=True).table().equals(table)
    parts = list(found.parts(2))
    assert [len(part) for part in parts] == [2] * (len(rows) // 2) + [1] * (len(rows) % 2)
    assert pa.Table.from_batches(parts, found.schema).equals(table)
    return stored.schema, table


def values_of(array):
    """Return the values of a column as those of JSON."""
    if not is_json(array.type):
        return array.to_pylist()
    return [None if text is None else json.loads(text) for text in array.storage.to_pylist()]


def same(value, expected):
    """Return whether a value is the same. Whole numbers in a column of floats are floats."""
    if isinstance(expected, dict) and isinstance(value, dict):
        return value.keys() == expected.keys() and all(
            same(value[key], expected[key]) for key in expected
        )
    if isinstance(expected, list) and isinstance(value, list):
        return len(value) == len(expected) and all(map(same, value, expected))
    numbers = {type(value), type(expected)} <= {int, float}
    return value == expected and (numbers or type(value) is type(expected))


def same_cell(text, expected, kind):
    """Return whether a cell of csv or tsv is what stands for a value: as documented."""
    if expected is None or expected == "":
        return text is None
    if isinstance(expected, str):
        # A lone surrogate has no UTF-8 form: such a text is written as JSON.
        return text == expected or (text.isascii() and json.loads(text) == expected)
    if isinstance(expected, bool) and pa.types.is_boolean(kind):
        return text == str(expected)
    if isinstance(expected, int) and not isinstance(expected, bool) and pa.types.is_integer(kind):
        return text == str(expected)
    return same(json.loads(text), expected)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_is_read_again(tmp_path, monkeypatch, form):
    # Rows of different kinds are in different chunks of one file.
    monkeypatch.setattr("clx.ml.data.tables.json_rows.CHUNK_ROWS", 2)
    row = st.fixed_dictionaries({name: st.one_of(st.none(), of) for name, of in COLUMNS.items()})

    @settings(max_examples=25, deadline=None, database=None)
    @given(st.lists(row, min_size=1, max_size=5))
    def check(rows):
        schema, table = round_trip(tmp_path, form, rows)
        for name in COLUMNS:
            values = [row[name] for row in rows]
            kind, found = schema.field(name).type, table[name].combine_chunks()
            if form in ("csv", "tsv"):
                assert all(map(same_cell, found.to_pylist(), values, [kind] * len(values))), found
            elif form == "parquet" and is_json(kind):
                # What has no common type is JSON text: few readers know Arrow's type for it.
                texts = found.to_pylist()
                read = [None if text is None else json.loads(text) for text in texts]
                assert all(map(same, read, values)), found
            else:
                assert all(map(same, values_of(found), values)), found

    check()


@pytest.mark.parametrize("form", FORMATS)
def test_numbers_that_are_none_are_missing(tmp_path, form):
    schema = pa.schema([("x", pa.float64())])
    batch = pa.record_batch([pa.array([math.nan, None, 0.5])], schema=schema)
    write_rows([batch], schema, tmp_path / f"a.{form}", target_format(f"a.{form}"))
    found = open_rows(tmp_path / f"a.{form}").table()["x"].to_pylist()
    assert [value for value in found if value is not None and value == value] in ([0.5], ["0.5"])


@pytest.mark.parametrize("compression", ["gz", "bz2", "zst"])
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_compressed_files(tmp_path, form, compression):
    hard = "".join(text for text in HARD if text != "\0")
    values = [hard, None, *HARD[1:]] * 50
    schema = pa.schema([("x", pa.string())])
    batch = pa.record_batch([pa.array(values)], schema=schema)
    path = tmp_path / f"a.{form}.{compression}"
    write_rows([batch, batch], schema, path, target_format(path.name))
    assert open_rows(path).table()["x"].to_pylist() == values * 2
