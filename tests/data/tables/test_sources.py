"""The rows that a path stands for: files of any name, folders, globs, saved Datasets, partitions."""

import gzip
import json
import os
import threading
import zipfile
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml.data.tables.sources import is_source, matching_files, open_rows


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def texts_of(source):
    return open_rows(source).table()["text"].to_pylist()


# ---- Folders and globs ---------------------------------------------------------------------------


def test_a_folder_is_read_as_a_whole_and_what_is_left_out_is_named(tmp_path):
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b"text,label\na,x\n"))
    write(tmp_path / "2.json", json.dumps([{"text": "b", "label": "x"}]))
    write(tmp_path / "deep" / "er" / "3.jsonl", '{"label": "y", "text": "c"}\n')
    write(tmp_path / "4.tsv", "text\tlabel\nd\ty\n")
    write(tmp_path / "README.md", "about")
    write(tmp_path / "notes.txt", "about")
    for hidden in (".hidden.csv", "_SUCCESS", "_temporary/5.csv", "~$book.xlsx"):
        write(tmp_path / hidden, "no data")
    with pytest.warns(DataWarning, match=r"^2 files.*README\.md.*notes\.txt") as caught:
        table = open_rows(tmp_path).table()
    assert len(caught) == 1
    assert table.to_pydict() == {"text": ["a", "b", "d", "c"], "label": ["x", "x", "y", "y"]}


def test_train_and_test_files_in_one_folder_are_one_source(tmp_path):
    write(tmp_path / "train.csv", "text,label\na,x\n")
    write(tmp_path / "test.csv", "text\nb\n")
    assert open_rows(tmp_path).table().to_pylist() == [
        {"text": "b", "label": None},
        {"text": "a", "label": "x"},
    ]


def test_a_folder_called_like_a_file_is_a_folder(tmp_path):
    write(tmp_path / "rows.csv" / "part-0.csv", "text\na\n")
    assert texts_of(tmp_path / "rows.csv") == ["a"]
    (tmp_path / "empty.csv").mkdir()
    with pytest.raises(DataFormatError, match="no data at"):
        open_rows(tmp_path / "empty.csv")


def test_a_glob_below_a_folder_with_the_signs_of_one(tmp_path):
    write(tmp_path / "data [1]" / "a.csv", "text\na\n")
    write(tmp_path / "data [1]" / "b.csv", "text\nb\n")
    write(tmp_path / "data 1" / "c.csv", "text\nc\n")
    assert texts_of(tmp_path / "data [1]" / "*.csv") == ["a", "b"]
    assert texts_of(tmp_path / "**" / "*.csv") == ["c", "a", "b"]


@pytest.mark.parametrize(
    "name", ["a[1].csv", "what?.csv", "*.csv", "~home.csv", "a#b.csv", "%41.csv"]
)
def test_a_file_with_such_a_name_is_that_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "other.csv", "text\nother\n")
    write(tmp_path / "a1.csv", "text\nother\n")
    write(tmp_path / name, "text\na\n")
    assert texts_of(name) == ["a"]
    assert texts_of(tmp_path / name) == ["a"]


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.csv", "text\na\n")
    assert texts_of("~/a.csv") == ["a"]
    assert texts_of("~/*.csv") == ["a"]
    with pytest.raises(DataFormatError, match="no data at '~nobody-here/a"):
        open_rows("~nobody-here/a.csv")


def test_a_name_that_is_not_utf8(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path / "caf") + b"\xe9.csv")
    Path(path).write_text("text\na\n")
    assert texts_of(path) == ["a"]
    assert texts_of(Path(path)) == ["a"]
    assert texts_of(tmp_path) == ["a"]
    open_rows(path).name.encode()
    Path(path).write_text("text\na,b\n")
    with pytest.raises(DataFormatError, match="line 2") as caught:
        open_rows(tmp_path)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "source", ["no/such.csv", "word", "", "a text " * 1000, "nul\0.csv", "x*y"]
)
def test_no_data(source):
    with pytest.raises(DataFormatError):
        open_rows(source)


@pytest.mark.parametrize("name", ["rows.zip", "rows.csv.zip"])
def test_an_archive_of_one_file(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("deep/train.csv", "text\na\n")
        archive.writestr("__MACOSX/deep/._train.csv", "\0")
    assert texts_of(tmp_path / name) == ["a"]
    assert texts_of(tmp_path) == ["a"]


def test_an_archive_that_is_no_table(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("train.csv", "text\na\n")
        archive.writestr("test.csv", "text\na\n")
    with pytest.raises(DataFormatError, match=r"two\.zip holds 2 files.*unpack it"):
        open_rows(tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("about.md", "")
    with pytest.raises(DataFormatError, match=r"none\.zip has the suffix '\.zip'"):
        open_rows(tmp_path / "none.zip")
    (tmp_path / "bad.zip").write_bytes(b"no archive")
    with pytest.raises(DataFormatError, match=r"bad\.zip cannot be read as archive"):
        open_rows(tmp_path / "bad.zip")


# ---- Files that can be read only once ------------------------------------------------------------


def test_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "rows.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('text,label\n"a ""b""",x\nc,y\n',))
    writer.start()
    rows = open_rows(pipe)
    writer.join()
    assert rows.name == str(pipe)
    assert rows.table().to_pylist() == rows.table().to_pylist()
    assert rows.table()["text"].to_pylist() == ['a "b"', "c"]


def test_the_copy_of_a_pipe_goes_with_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pipe = tmp_path / "rows.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("text\na\n",))
    writer.start()
    rows = open_rows(pipe)
    writer.join()
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del rows
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_device_is_an_error(tmp_path):
    (tmp_path / "null.csv").symlink_to("/dev/null")
    with pytest.raises(DataFormatError, match=r"null\.csv is neither a file nor a pipe"):
        open_rows(tmp_path / "null.csv")
    with pytest.raises(DataFormatError, match="suffix ''"):
        open_rows("/dev/null")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails to read")
def test_a_file_that_the_system_does_not_read_is_named(tmp_path):
    (tmp_path / "a.csv").symlink_to("/proc/self/mem")
    with pytest.raises(
        DataFormatError, match=r"a\.csv cannot be read as csv: .*Input/output error"
    ):
        open_rows(tmp_path / "a.csv")


# ---- Saved Datasets ------------------------------------------------------------------------------


@pytest.fixture
def saved():
    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["animal", "fruit"])
    )
    rows = {"text": [f"text {n}" for n in range(25)], "label": [n % 2 for n in range(25)]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_a_saved_dataset_keeps_its_rows_in_order_and_its_label_names(tmp_path, saved):
    saved.with_format("numpy", columns=["label"]).save_to_disk(tmp_path / "rows", num_shards=12)
    rows = open_rows(tmp_path / "rows")
    table = rows.table()
    assert table["text"].to_pylist() == saved["text"][:]
    assert table.num_rows == 25
    about = json.loads(rows.schema.metadata[b"huggingface"])
    assert about["info"]["features"]["label"]["names"] == ["animal", "fruit"]
    assert table.schema.metadata == rows.schema.metadata


def test_other_files_of_a_saved_dataset_are_no_rows(tmp_path, saved):
    saved.save_to_disk(tmp_path / "rows")
    write(tmp_path / "rows" / "notes.csv", "text\nno row\n")
    assert len(texts_of(tmp_path / "rows")) == 25
    next((tmp_path / "rows").glob("*.arrow")).unlink()
    with pytest.raises(DataFormatError, match="that lacks its files 'data-00000"):
        open_rows(tmp_path / "rows")


def test_of_saved_splits_one_is_read(tmp_path, saved):
    splits = datasets.DatasetDict(train=saved, test=saved.select(range(3)))
    splits.save_to_disk(tmp_path / "all")
    with pytest.raises(DataFormatError, match=r"splits test, train: pass one of them.*all/test"):
        open_rows(tmp_path / "all")
    assert len(texts_of(tmp_path / "all" / "train")) == 25
    assert len(texts_of(tmp_path / "all" / "test")) == 3


# ---- Partitioned folders -------------------------------------------------------------------------


@pytest.fixture
def partitions(tmp_path):
    folder = tmp_path / "rows"
    table = pa.table({"text": ["a", "b"], "n": pa.array([2**53 + 1, None], pa.int64())})
    none = "__HIVE_DEFAULT_PARTITION__"
    for place in ("year=2023/lang=en", "year=2024/lang=de%20AT", f"year=2024/lang={none}"):
        (folder / place).mkdir(parents=True)
        pq.write_table(table, folder / place / "part-0.parquet")
    return folder


def test_partitions_are_columns(partitions):
    table = open_rows(partitions).table()
    assert table["year"].to_pylist() == [2023, 2023, 2024, 2024, 2024, 2024]
    assert table["lang"].to_pylist() == ["en", "en", None, None, "de AT", "de AT"]
    assert table["n"].to_pylist() == [2**53 + 1, None] * 3
    by_glob = open_rows(partitions / "year=*" / "lang=en" / "*.parquet").table()
    assert by_glob["year"].to_pylist() == [2023] * 2
    assert open_rows(partitions / "year=2024").schema.names == ["text", "n", "lang"]


def test_a_partition_that_is_no_plain_number_is_text_and_a_column_of_the_file_wins(tmp_path):
    for code in ("007", "10"):
        write(tmp_path / f"code={code}" / f"text={code}" / "a.jsonl", '{"text": "own"}\n')
    table = open_rows(tmp_path).table()
    assert table.to_pydict() == {"text": ["own", "own"], "code": ["007", "10"]}
    write(tmp_path / "csv" / "n=1" / "a.csv", "text\na\n")
    assert open_rows(tmp_path / "csv").table().to_pylist() == [{"text": "a", "n": "1"}]


def test_files_are_listed_without_opening_them(tmp_path):
    write(tmp_path / "b.csv", "")
    write(tmp_path / "a.csv", "")
    assert [file.path.name for file in matching_files(str(tmp_path))] == ["a.csv", "b.csv"]


def test_which_words_can_only_mean_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rows" / "a.csv", "text\na\n")
    write(tmp_path / "book.xlsx", "")
    for word in (
        "rows",
        "rows/a.csv",
        "book.xlsx#Sheet 2",
        "s3://a/b",
        "sqlite:///a?query=select 1",
    ):
        assert is_source(word), word
    for word in (
        "apple",
        "rows#1",
        "none.xlsx#Sheet",
        "a b.csv",
        "word " * 1000,
        "http://a.org is a page",
        "",
    ):
        assert not is_source(word), word
    write(tmp_path / "a.db", "")
    assert matching_files("sqlite:///a.db?query=select 1") == []


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_text_is_not_the_working_directory(tmp_path, monkeypatch, source):
    write(tmp_path / "a.csv", "text,label\nplum,fruit\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFormatError, match=r"The source is '.*': pass a file"):
        texts_of(source)


def test_links_to_folders_and_to_nothing_are_named(tmp_path):
    folder, other = tmp_path / "rows", tmp_path / "other"
    write(folder / "a.csv", "text,label\nplum,fruit\n")
    write(other / "b.csv", "text,label\ndog,animal\n")
    (folder / "b.csv").symlink_to(other / "b.csv")
    (folder / "lost.csv").symlink_to(tmp_path / "nothing.csv")
    (folder / "more").symlink_to(other)
    (folder / ".hidden").symlink_to(other)
    with pytest.warns(DataWarning, match="2 links in .* 'lost.csv', 'more'") as warned:
        assert texts_of(folder) == ["plum", "dog"]
    assert len(warned) == 1
    with pytest.warns(DataWarning, match="1 links in .* 'lost.csv'"):
        assert texts_of(folder / "*.csv") == ["plum", "dog"]


def test_a_glob_takes_hidden_files_only_if_it_asks_for_them(tmp_path):
    for name in ("a", ".b", "_c"):
        write(tmp_path / f"{name}.csv", f"text\n{name}\n")
    assert texts_of(tmp_path / "*.csv") == ["a"]
    assert texts_of(tmp_path / "_*.csv") == ["_c"]
    assert texts_of(tmp_path / ".*.csv") == [".b"]


@pytest.mark.parametrize("kinds", [("int64", "string"), ("bool", "json")])
def test_files_whose_types_differ_are_named_with_both_types(tmp_path, kinds):
    rows = {
        "int64": '{"id": 1}\n',
        "string": '{"id": "x"}\n',
        "bool": '{"id": true}\n',
        "json": '{"id": 1}\n{"id": "x"}\n',
    }
    write(tmp_path / "0.jsonl", '{"text": "plum"}\n')
    for number, kind in enumerate(kinds, 1):
        write(tmp_path / f"{number}.jsonl", rows[kind])
    last = "values of several types" if kinds[1] == "json" else "the type string"
    match = rf"1\.jsonl and .*2\.jsonl .* 'id' has the type {kinds[0]} .* {last} in the latter"
    with pytest.raises(DataFormatError, match=match):
        texts_of(tmp_path)


def test_an_integer_that_is_no_exact_float_is_named(tmp_path):
    pq.write_table(pa.table({"text": ["plum"], "id": [2**53 + 1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["dog"], "id": [0.5]}), tmp_path / "b.parquet")
    with pytest.raises(DataFormatError, match=r"a\.parquet: column 'id' has the type int64, and d"):
        texts_of(tmp_path)
