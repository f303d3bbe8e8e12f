"""A user predicted a folder with csv files beside parquet and jsonl files.

An empty text of a csv file was an error there, although it is none in a folder of csv files. Folders
such as ``year=2024`` and columns of categories could not be predicted in parts.
"""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.batch import join_parts, predict_parts
from clx.errors import DataFormatError, UnfinishedError
from clx.ml import training_run


@pytest.fixture(scope="module")
def run(_trained_once):
    return training_run(load=_trained_once)


def in_parts(run, source, folder, **options):
    """Predict a source in two shards, and return the schemas of the parts and the joined rows."""
    for shard in ("1/2", "2/2"):
        predict_parts(run.run_dir, source, folder / "parts", shard, part_rows=2, **options)
    schemas = {
        pq.read_schema(part).remove_metadata().to_string()
        for part in (folder / "parts" / "parts").glob("*.parquet")
    }
    joined = join_parts(folder / "parts", folder / "joined.parquet")
    return schemas, pd.read_parquet(joined)


@pytest.fixture
def folder(tmp_path):
    """Files with empty cells, a column without values, categories, and folders with a value."""
    for name in ("year=2023", "year=2024"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in/year=2023/a.csv").write_text('text,note,kind\na cat,,x\n"",n1,\nan apple,,y\n')
    rows = [
        {"text": "a dog", "note": None, "kind": "x"},
        {"text": "", "note": None, "kind": None},
        {"text": "a pear", "note": None, "kind": "z"},
    ]
    lines = "\n".join(map(json.dumps, rows))
    (tmp_path / "in/year=2024/b.jsonl").write_text(lines + "\n")
    frame = pd.DataFrame(rows).astype({"kind": "category"})
    frame.to_parquet(tmp_path / "in/year=2024/c.parquet")
    return tmp_path / "in"


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_parts_have_one_schema_and_the_rows_of_a_file(run, folder, tmp_path, on_error):
    whole = run.predict_file(folder, tmp_path / "whole.parquet", on_error=on_error)
    schemas, joined = in_parts(run, folder, tmp_path, on_error=on_error)
    assert len(schemas) == 1
    expected = pd.read_parquet(whole)
    assert expected["year"].tolist() == [2023] * 3 + [2024] * 6
    assert expected["text"].tolist()[:6] == ["a cat", "", "an apple", "a dog", "", "a pear"]
    assert expected["kind"].fillna("none").tolist()[:4] == ["x", "none", "y", "x"]
    assert expected["predicted_label" if "predicted_label" in expected else "label"].notna().all()
    numbers = ["score", "margin"]
    pd.testing.assert_frame_equal(joined.drop(columns=numbers), expected.drop(columns=numbers))


def test_a_missing_text_of_another_format_is_an_error_still(run, folder, tmp_path):
    (folder / "year=2024" / "d.jsonl").write_text('{"text": null}\n{"text": "a cat"}\n')
    with pytest.raises(DataFormatError, match="the text is missing in 1 of 11 rows: 9"):
        run.predict_file(folder, tmp_path / "whole.parquet")
    with pytest.raises(UnfinishedError, match=r"d\.jsonl: (.|\n)*the text is missing"):
        predict_parts(run.run_dir, folder, tmp_path / "parts", on_error="raise")


def test_a_csv_file_without_the_column_of_texts_is_named(run, folder, tmp_path):
    (folder / "year=2024" / "e.csv").write_text("txt\na cat\n")
    for predict, target in (
        (run.predict_file, tmp_path / "whole.parquet"),
        (lambda *args: predict_parts(run.run_dir, *args), tmp_path / "parts"),
    ):
        with pytest.raises(DataFormatError, match=r"no column 'text' in .*e\.csv"):
            predict(folder, target)


def test_numbers_beside_text_are_named_before_anything_is_predicted(run, folder, tmp_path):
    pd.DataFrame({"text": ["a cat"], "note": [1]}).to_parquet(folder / "year=2024" / "d.parquet")
    for predict, target in (
        (run.predict_file, tmp_path / "whole.parquet"),
        (lambda *args: predict_parts(run.run_dir, *args), tmp_path / "parts"),
    ):
        with pytest.raises(
            DataFormatError, match=r"a\.csv and .*d\.parquet cannot.*'note'.*string.*int64"
        ):
            predict(folder, target)
        assert not target.exists()


def test_numbers_that_lose_digits_beside_others_are_named_first(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, numbers in (("a", [0.5]), ("b", [1]), ("c", [2**53 + 1])):
        table = pa.table({"text": ["a cat"] * len(numbers), "n": numbers})
        pq.write_table(table, folder / f"{name}.parquet")
    for predict, target in (
        (run.predict_file, tmp_path / "whole.parquet"),
        (lambda *args, **kw: predict_parts(run.run_dir, *args, **kw), tmp_path / "parts"),
    ):
        with pytest.raises(DataFormatError, match=r"c\.parquet: column 'n' has the type int64"):
            predict(folder, target, on_error="skip")
        assert not target.exists()
