"""A user predicted a parquet file with nullable ids: 9007199254740993 came back as 9007199254740992."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run

BIG = 9007199254740993
TEXTS = ["ripe apple", "old dog", "a cat"]


def parquet(tmp_path, **columns):
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table({"text": TEXTS, **columns}), path)
    return path


def predicted(trained, source, target):
    return training_run(load=trained).predict_file(source, target)


def test_integers_with_nulls_stay_integers(trained, tmp_path):
    source = parquet(
        tmp_path,
        id=pa.array([BIG, None, 5]),
        nested=pa.array([[BIG, None], None, []]),
        inside=pa.array([{"n": 5}, {"n": None}, None]),
    )
    done = pq.read_table(predicted(trained, source, tmp_path / "out.parquet"))
    assert done["id"].to_pylist() == [BIG, None, 5]
    assert done["id"].type == pa.int64()
    assert done["nested"].to_pylist() == [[BIG, None], None, []]
    assert done["inside"].to_pylist() == [{"n": 5}, {"n": None}, None]
    lines = predicted(trained, source, tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [BIG, None, 5]
    assert json.loads(lines[0])["nested"] == [BIG, None]
    csv = predicted(trained, source, tmp_path / "out.csv").read_text().splitlines()
    assert csv[1].startswith(f'"ripe apple",{BIG},"[{BIG}, null]"')


def test_an_index_of_pandas_stays_a_column(trained, tmp_path):
    path = tmp_path / "in.parquet"
    frame = pd.DataFrame({"text": TEXTS, "doc_id": ["x", "y", "z"]})
    frame.set_index("doc_id").to_parquet(path)
    done = pd.read_csv(predicted(trained, path, tmp_path / "out.csv"))
    assert done["doc_id"].tolist() == ["x", "y", "z"]
    frame.drop(columns="doc_id").rename_axis("row").to_parquet(path)
    done = pd.read_csv(predicted(trained, path, tmp_path / "rows.csv"))
    assert done["row"].tolist() == [0, 1, 2]


def test_lists_are_written_to_csv_as_json(trained, tmp_path):
    source = parquet(tmp_path, tags=[["a", "b"], [], None])
    done = pd.read_csv(predicted(trained, source, tmp_path / "out.csv"))
    assert done["tags"].tolist()[:2] == ['["a", "b"]', "[]"]


def test_maps_and_empty_objects_get_through(trained, tmp_path):
    kind = pa.map_(pa.string(), pa.int64())
    source = parquet(tmp_path, map=pa.array([[("a", 1)], [], None], kind))
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        assert predicted(trained, source, tmp_path / name).exists()
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": text, "o": {}}) + "\n" for text in TEXTS))
    done = predicted(trained, path, tmp_path / "objects.parquet")
    assert pq.read_table(done)["o"].to_pylist() == ["{}"] * 3


@pytest.mark.parametrize("name", ["out.csv", "out.tsv"])
def test_a_bare_return_in_a_text_makes_no_row(trained, tmp_path, name):
    source = parquet(tmp_path, note=["one\rtwo", "a\r\nb", 'a\nb\t"c"'])
    done = predicted(trained, source, tmp_path / name)
    rows = pd.read_csv(done, sep="\t" if name.endswith("tsv") else ",")
    assert rows["note"].tolist() == ["one\rtwo", "a\r\nb", 'a\nb\t"c"']


def test_an_index_without_a_name_and_repeated_columns(trained, tmp_path):
    table = pa.Table.from_arrays([pa.array(TEXTS), pa.array(TEXTS)], names=["text", "text"])
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(DataFormatError, match="more than one column called text"):
        predicted(trained, tmp_path / "in.parquet", tmp_path / "out.parquet")


def test_a_second_prediction_of_a_file_takes_a_prefix(trained, tmp_path):
    first = predicted(trained, parquet(tmp_path, label=["a", "b", "c"]), tmp_path / "out.csv")
    with pytest.raises(DataFormatError, match=r"already has the columns predicted_label.*prefix="):
        predicted(trained, first, tmp_path / "two.csv")
    done = training_run(load=trained).predict_file(first, tmp_path / "two.csv", prefix="second_")
    rows = pd.read_csv(done)
    assert {"label", "predicted_label", "second_label", "second_score"} <= set(rows.columns)


def test_class_names_in_another_order_are_not_mixed_up(tmp_path):
    import datasets

    from clx.ml.data import to_frame

    for name, names in (("a", ["n", "p"]), ("b", ["p", "n"])):
        features = datasets.Features(
            {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
        )
        rows = datasets.Dataset.from_dict({"text": ["x"], "label": [0]}, features=features)
        rows.to_parquet(str(tmp_path / f"{name}.parquet"))
    with pytest.raises(DataFormatError, match="class ids of the column 'label'"):
        to_frame(tmp_path)
    assert to_frame(tmp_path / "b.parquet")["label"].tolist() == ["p"]
