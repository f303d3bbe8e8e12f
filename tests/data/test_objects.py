"""Tables of pyarrow, polars and ``datasets``, their columns and splits, and ids on the Hub."""

import socket
import sys

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from datasets.arrow_writer import ArrowWriter

from clx.errors import DataFormatError
from clx.ml.data import to_frame
from clx_runtime.texts import as_text_rows, as_texts, check_texts

BIG = 2**53 + 1
ROWS = {"text": ["a", "b"], "label": ["x", None], "id": [BIG, None], "tags": [["p"], None]}
TABLE = pa.table(ROWS)


def values(frame):
    """The frame's columns, with None for each kind of missing value."""
    return {
        name: [None if value is pd.NA or value != value else value for value in frame[name]]
        for name in frame
    }


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        TABLE.to_batches()[0],
        TABLE.to_reader(),
        pyarrow.dataset.dataset(TABLE),
        pl.DataFrame(ROWS),
        pl.DataFrame(ROWS).lazy(),
        pl.DataFrame(ROWS, schema_overrides={"label": pl.Categorical}),
        pl.DataFrame(ROWS, schema_overrides={"label": pl.Enum(["x", "y"])}),
        datasets.Dataset(TABLE),
        datasets.Dataset(TABLE).with_format("numpy", columns=["text"]),
        datasets.Dataset(TABLE).with_format("torch"),
        datasets.Dataset(TABLE).to_iterable_dataset(),
        datasets.Dataset(pa.concat_tables([TABLE, TABLE])).select([2, 1]),
    ],
    ids=lambda table: type(table).__name__,
)
def test_table_of_another_library_keeps_its_values(table):
    assert values(to_frame(table)) == ROWS


def test_frame_of_arrow_types_stays_as_it_is():
    frame = TABLE.to_pandas(types_mapper=pd.ArrowDtype)
    assert to_frame(frame) is frame


def test_nothing_is_imported_to_recognize_a_table(monkeypatch):
    frame = pd.DataFrame({"text": ["a"]})
    for name in ("polars", "datasets"):
        monkeypatch.delitem(sys.modules, name)
    assert to_frame(frame) is frame
    assert to_frame(TABLE)["text"].tolist() == ["a", "b"]
    assert not {"polars", "datasets"} & set(sys.modules)


COLUMNS = [
    pa.array(["a", "b"]),
    pa.array(["a", "b"], pa.string_view()),
    pa.chunked_array([["a"], ["b"]]),
    pa.array(["a", "b"]).dictionary_encode(),
    pl.Series(["a", "b"]),
    pl.Series(["a", "b"], dtype=pl.Categorical),
    pd.Series(["a", "b"], dtype=pd.ArrowDtype(pa.string())),
    datasets.Dataset(TABLE)["text"],
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(type(column)))
def test_column_of_another_library_is_texts_and_no_data(column):
    assert check_texts(as_texts(column)) == ["a", "b"]
    with pytest.raises(DataFormatError, match="train_data must be a pandas DataFrame"):
        to_frame(column, "train_data")


def test_rows_of_two_texts_come_from_a_column_of_structs():
    rows = [{"question": "q", "passage": "p"}]
    for column in (pa.array(rows), pl.Series(rows)):
        (row,) = as_text_rows(column, ["question", "passage"])
        assert row.texts == ("q", "p")


@pytest.mark.parametrize(
    "table",
    [TABLE, TABLE.to_batches()[0], pl.DataFrame(ROWS), pl.LazyFrame(ROWS), datasets.Dataset(TABLE)],
    ids=lambda table: type(table).__name__,
)
def test_table_is_no_list_of_texts(table):
    with pytest.raises(DataFormatError, match=r"but got a \w+; pass one of its columns"):
        as_texts(table)
    with pytest.raises(DataFormatError, match=r"but got a \w+; use predict_frame"):
        as_text_rows(table, ["question", "passage"])


def test_missing_and_other_values_of_a_column_are_named():
    with pytest.raises(DataFormatError, match="position 1: None is not a str"):
        check_texts(as_texts(pa.array(["a", None])))


SIDES = datasets.ClassLabel(names=["left", "right"])


def test_class_labels_in_lists_become_their_names():
    features = datasets.Features({"text": datasets.Value("string"), "labels": [SIDES]})
    dataset = datasets.Dataset.from_dict(
        {"text": ["a", "b", "c"], "labels": [[1, 0], [], [-1]]}, features=features
    )
    for form in (dataset, dataset.to_iterable_dataset(), dataset.with_format("numpy")):
        assert to_frame(form)["labels"].tolist() == [["right", "left"], [], None]


SPLITS = datasets.DatasetDict(train=datasets.Dataset(TABLE), test=datasets.Dataset(TABLE[:1]))


def test_a_split_is_taken_by_name():
    assert len(to_frame(SPLITS, split="test")) == 1
    with pytest.raises(DataFormatError) as error:
        to_frame(SPLITS, "eval_data", split="tests")
    assert "eval_data is a DatasetDict with the splits train, test, but no split 'tests'" in str(
        error.value
    )
    assert "did you mean 'test'?" in str(error.value)


# ---- Ids of the Hub ----------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of ``datasets``."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def put_in_cache(cache, owner, name):
    """Write a data set as ``load_dataset("owner/name")`` leaves it."""
    folder = cache / f"{owner}___{name}" / "default" / "0.0.0" / ("0" * 40)
    folder.mkdir(parents=True)
    splits = {}
    for split, rows in {"train": 2, "test": 1}.items():
        part = TABLE[:rows]
        with ArrowWriter(path=str(folder / f"{name}-{split}.arrow"), schema=part.schema) as writer:
            writer.write_table(part)
            writer.finalize()
        splits[split] = {"name": split, "num_examples": rows, "dataset_name": name}
    datasets.DatasetInfo(
        features=datasets.Features.from_arrow_schema(TABLE.schema),
        builder_name="parquet",
        dataset_name=name,
        config_name="default",
        version="0.0.0",
        splits=splits,
    ).write_to_directory(str(folder))


def test_id_of_a_cached_data_set(cache):
    put_in_cache(cache, "someone", "fruit_names")
    assert values(to_frame("someone/FruitNames", split="train")) == ROWS
    assert len(to_frame("someone/fruit_names", split="test")) == 1
    with pytest.raises(DataFormatError, match="with the splits train, test: pass one"):
        to_frame("someone/fruit_names")


@pytest.mark.parametrize("name", ["trian.csv", "someone/else", "fruit"])
def test_what_is_neither_a_file_nor_a_data_set_is_said_without_a_request(cache, monkeypatch, name):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    with pytest.raises(DataFormatError) as error:
        to_frame(name)
    assert asked == []
    assert f"There is no data at {name!r}" in str(error.value)
    assert "is not a data set in the Hub cache either" in str(error.value)
    assert ("HF_HUB_OFFLINE is set" in str(error.value)) == ("." not in name)


@pytest.mark.parametrize("name", ["a/b/c", "*.csv", "./fruit", "fruit/", "two words"])
def test_what_cannot_be_an_id_is_a_missing_file(cache, name):
    with pytest.raises(DataFormatError) as error:
        to_frame(name)
    assert "the Hub" not in str(error.value)


def test_a_file_wins_over_an_id(cache):
    put_in_cache(cache, "someone", "fruit")
    folder = cache.parent / "someone" / "fruit"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("text\nfrom a file\n")
    assert to_frame("someone/fruit")["text"].tolist() == ["from a file"]


def test_broken_cache_is_an_error_of_the_data(cache):
    put_in_cache(cache, "someone", "fruit")
    for file in cache.rglob("*.arrow"):
        file.write_bytes(b"")
    with pytest.raises(DataFormatError, match=r"data set 'someone/fruit' cannot be read"):
        to_frame("someone/fruit", split="train")


def test_online_the_hub_is_asked_once_and_shortly(cache, monkeypatch):
    import huggingface_hub

    asked = []

    def dataset_info(self, name, timeout):
        asked.append((name, timeout))
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)
    with pytest.raises(DataFormatError, match=r"the Hub did not return it .*no route to host"):
        to_frame("someone/fruit")
    with pytest.raises(DataFormatError, match=r"There is no data at .trian\.csv."):
        to_frame("trian.csv")
    assert asked == [("someone/fruit", 5)]
