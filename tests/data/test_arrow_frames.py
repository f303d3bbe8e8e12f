"""A table becomes a frame with the same columns and values."""

import datetime
from decimal import Decimal

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.errors import DataFormatError
from clx.ml.data.arrow_frames import table_to_frame

BIG = 2**53 + 1
MAP = pa.map_(pa.string(), pa.int64())
JSON = pa.ExtensionArray.from_storage(pa.json_(), pa.array([f'{{"a": [{BIG}]}}', None]))


def values(array):
    """The values of a column, None in place of each kind of missing value."""
    table = pa.table({"column": array})
    return [
        None if value is pd.NA or value is pd.NaT or value != value else value
        for value in table_to_frame(table)["column"].tolist()
    ]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([BIG, None]),
        pa.array([2**64 - 1, None], pa.uint64()),
        pa.array([200, None], pa.uint8()),
        pa.array([BIG, 1]),
        pa.array([1.5, None]),
        pa.array([True, None]),
        pa.array([True, False]),
        pa.nulls(2),
        pa.array(["a", None]),
        pa.array(["a", None], pa.large_string()),
        pa.array(["a", None], pa.string_view()),
        pa.array(["a", None]).dictionary_encode(),
        pa.array([BIG, None]).dictionary_encode(),
        pa.DictionaryArray.from_arrays([0, None], pa.array(["a"], pa.string_view())),
        pa.chunked_array([], pa.dictionary(pa.int8(), pa.string())),
        pa.array([b"a", None]),
        pa.array([b"a", None], pa.binary_view()),
        pa.array([Decimal("1.10"), None]),
        pa.array([datetime.date(9999, 1, 1), None]),
        pa.array([datetime.datetime(9999, 1, 1), None]),
        pa.array([datetime.timedelta(seconds=1), None]),
        pa.array([[BIG, None], None]),
        pa.array([[[BIG, None]], []], pa.large_list(pa.list_(pa.int64()))),
        pa.array([["a"], None], pa.list_view(pa.string())),
        pa.array([[1, 2], None], pa.list_(pa.int8(), 2)),
        pa.array([{"a": BIG, "b": None}, None]),
        pa.RunEndEncodedArray.from_arrays([1, 3], ["a", "b"]),
    ],
    ids=lambda array: str(array.type),
)
def test_values_stay_what_they_are(array):
    found = values(array)
    assert found == array.to_pylist()
    assert [type(value) for value in found if type(value) in (int, float, bool)] == [
        type(value) for value in array.to_pylist() if type(value) in (int, float, bool)
    ]


def test_a_map_is_a_dict_unless_that_would_lose_an_entry():
    array = pa.array([[("a", BIG), ("b", 2)], [("a", 1), ("a", 2)], [], None], MAP)
    assert values(array) == [{"a": BIG, "b": 2}, [("a", 1), ("a", 2)], {}, None]
    nested = pa.array([[{"m": [("a", 1)]}], None], pa.list_(pa.struct({"m": MAP})))
    assert values(nested) == [[{"m": {"a": 1}}], None]


def test_json_is_decoded():
    assert values(JSON) == [{"a": [BIG]}, None]
    assert values(pa.ListArray.from_arrays([0, 2], JSON)) == [[{"a": [BIG]}, None]]
    broken = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{"]))
    with pytest.raises(DataFormatError, match=r"column 'column': '\{' is not JSON"):
        values(broken)


def features(**kinds):
    return datasets.Features({"text": datasets.Value("string"), **kinds})


SIDES = datasets.ClassLabel(names=["left", "right"])


@pytest.mark.parametrize(
    ("kind", "ids", "named"),
    [
        (SIDES, [1, -1, None], ["right", None, None]),
        (datasets.Sequence(SIDES), [[1, 0], [], [-1]], [["right", "left"], [], None]),
        (datasets.List(SIDES), [[0, -1], None, [1]], [["left", None], None, ["right"]]),
        ({"side": SIDES}, [{"side": 1}] * 3, [{"side": "right"}] * 3),
        (
            [{"side": SIDES, "at": datasets.Value("int64")}],
            [[{"side": 0, "at": BIG}], [], None],
            [[{"side": "left", "at": BIG}], [], None],
        ),
        (datasets.Sequence({"side": SIDES}), [{"side": [1]}] * 3, [{"side": ["right"]}] * 3),
    ],
)
def test_class_ids_of_a_parquet_become_names(tmp_path, kind, ids, named):
    dataset = datasets.Dataset.from_dict(
        {"text": ["a", "b", "c"], "labels": ids}, features=features(labels=kind)
    )
    dataset.to_parquet(tmp_path / "a.parquet")
    frame = table_to_frame(pq.read_table(tmp_path / "a.parquet"))
    assert [None if x is None or x != x else x for x in frame["labels"]] == named


def test_metadata_of_an_older_datasets_names_the_classes_of_a_struct_of_lists():
    table = pa.table({"spans": pa.array([{"side": [1, 0]}])})
    old = b"""{"info": {"features": {"spans": {"_type": "Sequence", "feature":
        {"side": {"names": ["left", "right"], "_type": "ClassLabel"}}}}}}"""
    frame = table_to_frame(table.replace_schema_metadata({b"huggingface": old}))
    assert frame["spans"].tolist() == [{"side": ["right", "left"]}]


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": {"features": 5}}', b'{"info": 5}'])
def test_metadata_of_another_kind_is_ignored(metadata):
    table = pa.table({"a": [1]}).replace_schema_metadata({b"huggingface": metadata})
    assert table_to_frame(table)["a"].tolist() == [1]


def test_class_id_without_a_name():
    table = pa.table({"label": [2]}).replace_schema_metadata(
        features(label=SIDES).arrow_schema.metadata
    )
    with pytest.raises(DataFormatError, match="column 'label': the class id 2 has no name"):
        table_to_frame(table)


ROWS = pd.DataFrame({"text": ["a", "b"]})


@pytest.mark.parametrize(
    ("frame", "columns", "index"),
    [
        (ROWS, {"text": ["a", "b"]}, [0, 1]),
        (ROWS.set_index(pd.Index([7, 5])), {"text": ["a", "b"]}, [7, 5]),
        (
            ROWS.set_index(pd.Index([7, 5], name="doc_id")),
            {"text": ["a", "b"], "doc_id": [7, 5]},
            [0, 1],
        ),
        (ROWS.rename_axis("doc_id"), {"text": ["a", "b"], "doc_id": [0, 1]}, [0, 1]),
    ],
)
def test_index_that_pandas_stored(tmp_path, frame, columns, index):
    frame.to_parquet(tmp_path / "a.parquet")
    found = table_to_frame(pq.read_table(tmp_path / "a.parquet"))
    assert found.to_dict("list") == columns
    assert found.index.tolist() == index
    assert found.index.name is None


def test_no_columns_no_rows_and_a_column_name_twice():
    assert table_to_frame(pa.table({})).empty
    empty = table_to_frame(pa.table({"text": pa.array([], pa.string()), "ids": pa.array([], MAP)}))
    assert (list(empty), len(empty)) == (["text", "ids"], 0)
    with pytest.raises(DataFormatError, match="more than one column called a"):
        table_to_frame(pa.table([[1], [2]], names=["a", "a"]))
