"""Addresses that fsspec opens: files, folders, globs, and what is missing for them."""

import gzip
import http.server
import io
import threading
from functools import partial
from pathlib import Path

import fsspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.errors import DataFormatError, DataWarning, MissingDependencyError
from clx.ml.data.tables.sources import is_address, matching_files, open_rows


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/", recursive=True)


def texts_of(source):
    rows = open_rows(source)
    assert rows.table().num_rows == rows.table().num_rows
    return rows.table()["text"].to_pylist()


def parquet(texts):
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), sink)
    return sink.getvalue()


def test_files_of_every_kind(memory):
    book = openpyxl.Workbook()
    book.active.append(["text"])
    book.active.append(["a"])
    sink = io.BytesIO()
    book.save(sink)
    contents = {
        "a.csv": b'text\n"a"\n',
        "a.csv.gz": gzip.compress(b"text\na\n"),
        "a.tsv": b"text\na\n",
        "a.jsonl": b'{"text": "a"}\n',
        "a.json": b'[{"text": "a"}]',
        "a.parquet": parquet(["a"]),
        "a.xlsx": sink.getvalue(),
        "a.txt": b"a\n",
    }
    for name, content in contents.items():
        memory.pipe(f"/kinds/{name}", content)
        assert texts_of(f"memory://kinds/{name}") == ["a"], name
    assert texts_of("memory://kinds/a.xlsx#Sheet") == ["a"]


def test_folders_globs_partitions_and_texts(memory):
    memory.pipe("/rows/year=2023/a.parquet", parquet(["a"]))
    memory.pipe("/rows/year=2024/b.parquet", parquet(["b"]))
    memory.pipe("/rows/_SUCCESS", b"")
    memory.pipe("/rows/about.md", b"")
    with pytest.warns(DataWarning, match=r"1 files.*about\.md"):
        table = open_rows("memory://rows").table()
    assert table.to_pydict() == {"text": ["a", "b"], "year": [2023, 2024]}
    assert texts_of("memory://rows/*/b.parquet") == ["b"]
    assert texts_of("memory://rows/**/*.parquet") == ["a", "b"]
    memory.pipe("/texts/pos/1.txt", b"good")
    memory.pipe("/texts/neg/1.txt", b"bad")
    assert open_rows("memory://texts/").table()["label"].to_pylist() == ["neg", "pos"]
    assert [file.name for file in matching_files("memory://rows/*/*.parquet")] == [
        "memory:///rows/year=2023/a.parquet",
        "memory:///rows/year=2024/b.parquet",
    ]


def test_a_chain_of_addresses(memory, tmp_path):
    memory.pipe("/a.csv", b"text\na\n")
    assert texts_of("simplecache::memory://a.csv") == ["a"]


def test_a_path_that_lost_a_slash(memory):
    memory.pipe("/rows/a.csv", b"text\na\n")
    assert texts_of(Path("memory://rows/a.csv")) == ["a"]
    with pytest.raises(DataFormatError, match="as a str: a Path drops slashes"):
        open_rows(Path("sqlite:///file.db?query=select 1"))


def test_a_local_file_address(tmp_path):
    (tmp_path / "a.csv").write_text("text\na\n")
    assert texts_of(f"file://{tmp_path}/a.csv") == ["a"]


@pytest.mark.parametrize("source", ["memory://no/a.csv", "memory://no/*.csv", "memory://"])
def test_nothing_at_an_address(memory, source):
    with pytest.raises(DataFormatError, match=r"no data at .*'\. Pass a file"):
        open_rows(source)


def test_what_cannot_be_read_is_named(memory):
    memory.pipe("/a.csv", b"text\na,b\n")
    with pytest.raises(DataFormatError, match=r"memory://a\.csv, line 2"):
        open_rows("memory://a.csv")
    memory.pipe("/a.parquet", b"no parquet")
    with pytest.raises(DataFormatError, match=r"memory://a\.parquet cannot be read as parquet"):
        open_rows("memory://a.parquet")
    memory.pipe("/a.exe", b"")
    with pytest.raises(DataFormatError, match=r"suffix '\.exe'"):
        open_rows("memory://a.exe")


def test_a_missing_package_is_named(monkeypatch):
    def without(protocol):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.get_filesystem_class", without)
    with pytest.raises(MissingDependencyError, match=r"s3://bucket/a\.csv.*pip install s3fs"):
        open_rows("s3://bucket/a.csv")


def test_an_unknown_scheme():
    with pytest.raises(DataFormatError, match=r"nope://a\.csv cannot be opened.*nope"):
        open_rows("nope://a.csv")


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("s3://b/a.csv", True),
        ("simplecache::s3://b/a.csv", True),
        ("sqlite:///a.db?query=select 1", True),
        ("C://rows/a.csv", False),
        ("C:\\rows\\a.csv", False),
        ("rows/a.csv", False),
        ("see http://example.org", False),
    ],
)
def test_which_sources_are_addresses(source, address):
    assert is_address(source) == address


@pytest.fixture
def server(tmp_path):
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    asked = 0

    def log_message(self, *args):
        pass

    def do_GET(self):
        _Quiet.asked += 1
        super().do_GET()


def test_a_web_server_is_asked_once_and_its_secrets_stay_out_of_messages(tmp_path, server):
    (tmp_path / "a.csv").write_text('text\n"a"\n')
    (tmp_path / "a.parquet").write_bytes(parquet(["a"]))
    for name in ("a.csv", "a.parquet"):
        before = _Quiet.asked
        assert texts_of(f"{server}/{name}?signature=secret") == ["a"]
        assert _Quiet.asked - before <= 2
    with pytest.raises(DataFormatError, match=r"none\.csv") as caught:
        open_rows(f"{server}/none.csv?signature=secret")
    assert "secret" not in str(caught.value)
