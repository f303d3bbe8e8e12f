"""Rows by position: the values that ``to_frame`` reads, and copies that are complete or absent."""

import os
import pickle
import time

import datasets
import pandas as pd
import pyarrow as pa
import pytest

from clx.errors import DataFormatError, DiskFullError
from clx.ml.data import row_store
from clx.ml.data.arrow_rows import BatchRows, lazy_rows
from clx.ml.data.frames import open_source, to_frame
from clx.ml.data.reading import Reading
from clx.settings import cache_dir

ROWS = pd.DataFrame(
    {
        "text": [f"row {number}, of some" for number in range(5000)],
        "label": [["a"], ["b", "c"], [], ["a"], ["c"]] * 1000,
        "number": [1, None, 3, 4, 5] * 1000,
        "kind": pd.Categorical(["x", "y", "x", "x", "z"] * 1000),
    }
)


def lazily(source):
    return lazy_rows(open_source(source, Reading(lazily=True)), "data")


def copies():
    return sorted(path.name for path in (cache_dir() / "rows").iterdir() if path.is_dir())


def sources(folder):
    """Yield the same rows, opened from each kind of source."""
    ROWS.assign(label="a|b").to_csv(folder / "rows.csv", index=False)
    yield str(folder / "rows.csv")
    ROWS.to_parquet(folder / "rows.parquet", row_group_size=700)
    yield str(folder / "rows.parquet")
    ROWS.head(300).to_json(folder / "rows.jsonl", orient="records", lines=True)
    yield folder / "rows.jsonl"
    plain = ROWS.astype({"kind": str})
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.List(datasets.Value("string")),
            "number": datasets.Value("float64"),
            "kind": datasets.ClassLabel(names=["x", "y", "z"]),
        }
    )
    dataset = datasets.Dataset.from_pandas(plain, features=features, preserve_index=False)
    yield dataset
    yield dataset.select(range(10, 900, 3))
    dataset.save_to_disk(folder / "saved")
    yield str(folder / "saved")
    yield pa.Table.from_pandas(plain)
    yield plain


def test_rows_have_the_values_that_to_frame_reads(tmp_path):
    for source in sources(tmp_path):
        expected, rows = to_frame(source), lazily(source)
        assert len(rows) == len(expected)
        where = [len(expected) - 1, 3, 250, 3, 0]
        found = rows.frame(where)
        assert found.index.tolist() == where
        for name in expected.columns:
            as_read = expected[name].tolist()
            assert repr(found[name].tolist()) == repr([as_read[row] for row in where]), (
                source,
                name,
            )
        parts = pd.concat([part for _, part in rows.parts(190)])
        assert parts.index.tolist() == list(range(len(expected)))
        assert parts["text"].tolist() == expected["text"].tolist()
        copy = pickle.loads(pickle.dumps(rows))
        assert copy.frame(where).equals(found)
        assert copy.digest() == rows.digest()


def test_uncompressed_arrow_files_are_used_where_they_are(tmp_path):
    table = pa.table({"text": ["a cat", "a dog"], "label": ["x", "y"]})
    for name, options in (("plain", None), ("packed", pa.ipc.IpcWriteOptions(compression="lz4"))):
        with pa.ipc.new_file(
            str(tmp_path / f"{name}.arrow"), table.schema, options=options
        ) as file:
            file.write_table(table)
    assert lazily(tmp_path / "plain.arrow").frame([1])["text"].tolist() == ["a dog"]
    assert not (cache_dir() / "rows").exists()
    assert lazily(tmp_path / "packed.arrow").frame([1])["text"].tolist() == ["a dog"]
    assert len(copies()) == 1


def test_a_copy_is_used_again_until_the_file_changes(tmp_path, monkeypatch):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\na cat,x\n")
    first = lazily(file)
    with monkeypatch.context() as patched:
        patched.setattr(row_store, "open_rows", None)
        assert lazily(file).digest() == first.digest()
    file.write_text("text,label\na dog,x\n")
    os.utime(file, ns=(1, 1))
    again = lazily(file)
    assert again.frame([0])["text"].tolist() == ["a dog"]
    assert again.digest() != first.digest()
    assert first.frame([0])["text"].tolist() == ["a cat"]


def test_nothing_is_left_of_a_copy_that_failed(tmp_path, monkeypatch):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\na cat,x\n")
    write = row_store.write_json

    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(row_store, "write_json", full)
    with pytest.raises(DiskFullError, match="rows"):
        lazily(file)
    assert copies() == []
    monkeypatch.setattr(row_store, "write_json", write)
    assert len(lazily(file)) == 1


def test_what_a_killed_process_left_is_removed_and_an_unused_copy_too(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("text,label\na cat,x\n")
    lazily(file)
    (name,) = copies()
    folder = cache_dir() / "rows"
    for left in (f"{name}.new", "another.new"):
        (folder / left).mkdir()
        (folder / left / row_store.ROWS).write_bytes(b"half")
    long_ago = time.time() - 2 * row_store.UNUSED_S
    os.utime(folder / name / row_store.COMPLETE, (long_ago, long_ago))
    other = tmp_path / "other.csv"
    other.write_text("text,label\na dog,x\n")
    lazily(other)
    assert name not in copies()
    assert len(copies()) == 1


def test_a_source_whose_changes_cannot_be_noticed_is_copied_for_this_use(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "rows.db") as database:
        database.execute("create table rows (text, label)")
        database.execute("insert into rows values ('a cat', 'x')")
    rows = lazily(f"sqlite:///{tmp_path}/rows.db?table=rows")
    assert rows.frame([0])["text"].tolist() == ["a cat"]
    assert len(copies()) == 1
    del rows
    assert copies() == []


def test_data_without_rows_or_with_repeated_columns_is_refused():
    with pytest.raises(DataFormatError, match="no rows"):
        lazy_rows(pa.table({"text": pa.array([], pa.string())}), "train_data")
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(DataFormatError, match="more than one column"):
        lazy_rows(twice, "train_data")
    assert isinstance(lazy_rows(pa.table({"text": ["a"]}), "train_data"), BatchRows)
