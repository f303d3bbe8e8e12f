"""Rows of sources are counted and sampled; a large source is not read as a whole."""

import gzip
from itertools import pairwise

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.errors import DataFormatError
from clx.ml.data.reading import DEFAULT_READING
from clx.ml.data.tables import blocks, columnar, samples
from clx.ml.data.tables.samples import Places, sample_sources, starts_of

PLACES = Places(runs=4, rows=50)


def sample(*sources, places=PLACES):
    return sample_sources([str(source) for source in sources], DEFAULT_READING, places)


def texts(found):
    return [text for run in found.runs for text in run.rows["text"].to_pylist()]


@pytest.fixture
def small_blocks(monkeypatch):
    """Make files of some kilobytes large ones."""
    monkeypatch.setattr(samples, "READ_WHOLE", 1000)
    monkeypatch.setattr(blocks, "BLOCK", 4000)
    monkeypatch.setattr(blocks, "COMPRESSED_BLOCK", 4000)


def rows(count):
    return pd.DataFrame({"text": [f"the text {n}" for n in range(count)], "n": range(count)})


def test_parquet_is_counted_in_footers_and_sampled_in_several_row_groups(tmp_path, monkeypatch):
    for name in ("a", "b"):
        table = pa.Table.from_pandas(rows(3000), preserve_index=False)
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=500)
    monkeypatch.setattr(columnar, "BATCH_ROWS", None)  # reading all rows would fail
    found = sample(tmp_path)
    assert (found.rows, found.how, found.error) == (6000, "parquet footers", 0.0)
    assert [run.rows.num_rows for run in found.runs] == [50] * 4
    starts = [run.rows["text"][0].as_py() for run in found.runs]
    assert starts == ["the text 0", "the text 1500", "the text 0", "the text 1500"]


def test_a_small_file_is_counted_and_sampled_as_a_whole(tmp_path):
    rows(120).to_csv(tmp_path / "a.csv", index=False)
    found = sample(tmp_path / "a.csv")
    assert (found.rows, found.how) == (120, "counted")
    assert texts(found) == list(rows(120)["text"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "csv.gz", "txt"])
def test_the_rows_of_a_large_text_file_follow_from_its_bytes(tmp_path, small_blocks, suffix):
    path, frame = tmp_path / f"a.{suffix}", rows(5000)
    if suffix == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    elif suffix == "txt":
        path.write_text("\n".join(frame["text"]) + "\n")
    else:
        frame.to_csv(path, index=False)
    found = sample(path)
    assert found.how == "estimated from bytes"
    # The first rows are shorter, and gzip reads ahead.
    assert found.rows == pytest.approx(5000, rel=0.9 if suffix == "csv.gz" else 0.1)
    assert found.error > 0
    assert set(texts(found)) <= set(frame["text"])
    assert len(found.runs) == (1 if suffix == "csv.gz" else 4)


def test_no_block_begins_in_a_quoted_cell(tmp_path, small_blocks):
    frame = rows(2000)
    frame["text"] = [f"first {n}\nsecond, {n}\nthird" for n in range(2000)]
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = sample(tmp_path / "a.csv")
    # The first rows are shorter.
    assert found.rows == pytest.approx(2000, rel=0.2)
    assert set(texts(found)) <= set(frame["text"])
    assert len(found.runs) == 1


def test_several_sources_are_added(tmp_path):
    rows(10).to_csv(tmp_path / "a.csv", index=False)
    rows(20).to_parquet(tmp_path / "b.parquet")
    found = sample(tmp_path / "a.csv", tmp_path / "b.parquet")
    assert (found.rows, found.how) == (30, "parquet footers, counted")
    assert len(texts(found)) == 30


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataFormatError, match=r"missing\.csv"):
        sample(tmp_path / "missing.csv")


@pytest.mark.parametrize("count", [0, 1, 49, 200, 201, 10_000])
def test_runs_do_not_overlap(count):
    starts = starts_of(count, PLACES)
    assert all(later - start >= 50 for start, later in pairwise(starts))
    assert len(starts) == min(4, -(-count // 50))


def test_a_compressed_file_is_not_read_to_its_end(tmp_path, small_blocks):
    whole = rows(5000).to_csv(index=False).encode()
    path = tmp_path / "a.csv.gz"
    packed = gzip.compress(whole)
    path.write_bytes(packed[: len(packed) * 9 // 10])
    assert sample(path).rows > 0
