"""Targets of predict_file: addresses, compressed files, and names that are refused before any work."""

import gzip
import json

import fsspec
import pandas as pd
import pytest

from clx.errors import DataFormatError, RunExistsError
from clx.ml import training_run


@pytest.fixture
def run(trained):
    return training_run(load=trained)


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/clx-test", recursive=True)


def write(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("text,id\nripe apple,1\nold dog,2\n")
    return path


def test_an_address_is_written_when_it_is_complete(run, tmp_path, memory, own_data_dir):
    address = "memory://clx-test/out.jsonl"
    assert run.predict_file(write(tmp_path), address) == address
    rows = [json.loads(line) for line in memory.cat("/clx-test/out.jsonl").splitlines()]
    assert [row["id"] for row in rows] == ["1", "2"]
    assert memory.ls("/clx-test", detail=False) == ["/clx-test/out.jsonl"]
    assert [path for path in own_data_dir.rglob("*") if path.is_file()] == []
    with pytest.raises(RunExistsError, match="overwrite=True"):
        run.predict_file(write(tmp_path), address)
    assert run.predict_file(write(tmp_path), address, overwrite=True) == address


def test_an_address_is_a_source_too(run, tmp_path, memory):
    memory.pipe("/clx-test/in.csv", write(tmp_path).read_bytes())
    done = run.predict_file("memory://clx-test/in.csv", tmp_path / "out.csv")
    assert pd.read_csv(done)["id"].tolist() == [1, 2]
    with pytest.raises(DataFormatError, match="both the source and the target"):
        run.predict_file("memory://clx-test/in.csv", "memory://clx-test/in.csv", overwrite=True)


def test_text_files_may_be_compressed(run, tmp_path):
    done = run.predict_file(write(tmp_path), tmp_path / "out.csv.gz")
    assert gzip.decompress(done.read_bytes()).startswith(b'"text","id","label"')
    again = run.predict_file(done, tmp_path / "out.jsonl.zst", columns=["id"], prefix="second_")
    third = run.predict_file(done, tmp_path / "out.tsv.bz2", columns=["text", "id"])
    for path, kind in ((again, "zstd"), (third, "bz2")):
        assert path.stat().st_size > 0, kind
    assert pd.read_csv(third, sep="\t")["id"].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["out.xlsx", "out.json", "out", "out.parquet.gz", "out.csv.zip"])
def test_formats_that_are_not_written_are_refused(run, tmp_path, name):
    with pytest.raises(DataFormatError):
        run.predict_file(write(tmp_path), tmp_path / name)
    assert sorted(path.name for path in tmp_path.glob("*out*")) == []


def test_a_target_is_no_file_of_the_source_under_another_name(run, tmp_path, memory):
    source = write(tmp_path)
    memory.pipe("/clx-test/in.csv", source.read_bytes())
    pairs = [
        ("memory://clx-test/in.csv", "memory:///clx-test/in.csv"),
        (source, f"file://{source}"),
        (f"file://{source}", source),
    ]
    for each, target in pairs:
        with pytest.raises(DataFormatError, match="both the source and the target"):
            run.predict_file(each, target, overwrite=True)
    assert memory.cat("/clx-test/in.csv") == source.read_bytes()


def test_an_earlier_output_in_the_source_folder_is_not_read_as_rows(run, tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    write(folder)
    done = run.predict_file(folder, folder / "out.csv")
    before = done.read_bytes()
    for each in (folder, folder / "*.csv"):
        with pytest.raises(DataFormatError, match=r"out\.csv is one of the files of"):
            run.predict_file(each, done, overwrite=True)
    assert done.read_bytes() == before


def test_columns_may_be_one_name_and_are_carried_once(run, tmp_path):
    for columns in ("id", ["id", "id"]):
        done = run.predict_file(
            write(tmp_path), tmp_path / "out.csv", columns=columns, overwrite=True
        )
        assert pd.read_csv(done).columns.tolist()[:2] == ["id", "label"]


def test_a_file_of_several_without_a_heading_is_named(run, tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    write(folder)
    # As "split" cuts a csv file.
    (folder / "more.csv").write_text("a cat,3\na dog,4\n")
    with pytest.raises(
        DataFormatError, match=r"no column 'text' in .*more\.csv, but in other files"
    ):
        run.predict_file(folder, tmp_path / "out.csv")
    with pytest.raises(DataFormatError, match="the text is missing in 1 of 3 rows"):
        run.predict_frame(folder)
    assert [path.name for path in tmp_path.glob("*out*")] == []
