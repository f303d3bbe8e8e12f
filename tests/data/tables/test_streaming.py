"""Files are read in parts while a caller iterates over them, not all at once."""

import pyarrow as pa
import pyarrow.parquet as pq

from clx.ml.data.tables.sources import open_rows
from clx.ml.data.tables.streams import FileSource


class _Counted:
    """A file that counts the bytes that are read."""

    def __init__(self, file, counts):
        self._file, self._counts = file, counts

    def read(self, size=-1):
        data = self._file.read(size)
        self._counts.append(len(data))
        return data

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()


def test_a_large_row_group_of_parquet_is_not_read_at_once(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    texts = [f"a text that is not short, with the number {n * 7919}" for n in range(100_000)]
    pq.write_table(pa.table({"text": texts}), path, compression="none", use_dictionary=False)
    assert pq.ParquetFile(path).num_row_groups == 1
    counts = []
    opened = FileSource.open_raw
    monkeypatch.setattr(FileSource, "open_raw", lambda self: _Counted(opened(self), counts))
    batches = open_rows(path).read()
    assert next(batches)["text"][0].as_py() == texts[0]
    assert sum(counts) < path.stat().st_size / 3
    batches.close()
    assert open_rows(path).table()["text"].to_pylist() == texts
