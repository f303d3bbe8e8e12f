"""to_frame and to_dataset: every kind of source, cells without conversion, every kind of bad row."""

import json

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from clx.errors import DataFormatError, PluginError
from clx.ml.data import fingerprint, has_surrogate, row_problems, to_dataset, to_frame
from clx.ml.data.arrow_frames import table_to_frame
from clx.ml.data.tables.sources import open_rows
from clx.ml.labels import label_kind
from clx.ml.task.author_code import validate_frame
from clx_tasks_classification import ClassificationRun

ROWS = [
    {"text": "NA", "label": "a"},
    {"text": "007", "label": "None"},
    {"text": "None", "label": "1.0"},
    {"text": 'null, "quoted"\nline two', "label": "TRUE"},
    {"text": "2020-01-01", "label": "é"},
    {"text": " blanks ", "label": "1e5"},
    {"text": "\u2028 日本 🎈", "label": "nan"},
]


def write(path, rows=ROWS):
    frame = pd.DataFrame(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".csv", ".tsv"):
        frame.to_csv(path, index=False, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        lines = [json.dumps(row, ensure_ascii=bool(i % 2)) for i, row in enumerate(rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# ---- Sources -----------------------------------------------------------------------------------------


def test_a_frame_is_taken_as_it_is():
    frame = pd.DataFrame(ROWS, index=list("gfedcba"))
    assert to_frame(frame) is frame


NAMES = ["a.csv", "a.tsv", "a.jsonl", "a.ndjson", "a.parquet", "A.CSV"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_files_of_every_format_give_the_same_rows(tmp_path, name, kind):
    assert to_frame(kind(write(tmp_path / name))).to_dict("records") == ROWS


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_files_read_in_chunks_give_the_same_rows(tmp_path, name, rows):
    chunks = [
        table_to_frame(pa.Table.from_batches([part]))
        for part in open_rows(write(tmp_path / name)).parts(rows)
    ]
    assert [len(chunk) for chunk in chunks] == [rows] * (7 // rows) + [7 % rows] * (7 % rows > 0)
    assert [row for chunk in chunks for row in chunk.to_dict("records")] == ROWS


def test_folder_and_glob_are_read_in_the_order_of_their_names(tmp_path, monkeypatch):
    write(tmp_path / "data" / "2.csv", ROWS[2:4])
    write(tmp_path / "data" / "1.jsonl", ROWS[:2])
    write(tmp_path / "data" / "3.parquet", ROWS[4:])
    (tmp_path / "data" / "notes.txt").write_text("no data")
    assert to_frame(tmp_path / "data").to_dict("records") == ROWS
    assert to_frame(str(tmp_path / "data" / "[12].*")).to_dict("records") == ROWS[:4]
    assert to_frame(tmp_path / "**" / "*.parquet").to_dict("records") == ROWS[4:]
    monkeypatch.chdir(tmp_path)
    frame = to_frame("data")
    assert frame.to_dict("records") == ROWS
    assert list(frame.index) == list(range(7))


def test_a_file_with_the_signs_of_a_glob_in_its_name_is_that_file(tmp_path):
    write(tmp_path / "a[1].csv", ROWS[:1])
    write(tmp_path / "a1.csv", ROWS[1:])
    assert len(to_frame(tmp_path / "a[1].csv")) == 1


def test_only_an_empty_csv_cell_is_missing(tmp_path):
    (tmp_path / "a.csv").write_text('text,label\nNA,\n"",x\n')
    frame = to_frame(tmp_path / "a.csv")
    assert frame.isna().to_numpy().tolist() == [[False, True], [True, False]]


def test_jsonl_values_keep_their_types(tmp_path):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": 10}]
    frame = to_frame(write(tmp_path / "a.jsonl", rows))
    assert [label_kind(label) for label in frame["label"]] == ["int", "int"]
    booleans = [{"text": "a", "label": True}, {"text": "b", "label": False}]
    assert to_frame(write(tmp_path / "b.jsonl", booleans))["label"].tolist() == [True, False]


def test_byte_order_mark_is_no_part_of_a_column_name(tmp_path):
    row = {"text": "a", "label": "b"}
    files = {
        "a.csv": "text,label\na,b\n",
        "a.tsv": "text\tlabel\na\tb\n",
        "a.jsonl": json.dumps(row),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
        assert to_frame(tmp_path / name).to_dict("records") == [row]
        assert next(open_rows(tmp_path / name).parts(5)).to_pylist() == [row]


def test_dataset_with_class_labels_gives_their_names():
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    rows = {"text": ["a", "b", "c"], "label": [1, 0, 1]}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    for form in (dataset, dataset.with_format("numpy"), dataset.with_format("torch")):
        frame = to_frame(form)
        assert frame["label"].tolist() == ["pos", "neg", "pos"]
        assert frame["text"].tolist() == ["a", "b", "c"]
    ClassificationRun("x", label_names=["neg", "pos"]).validate_data_format(to_frame(dataset))


def test_class_label_of_an_unlabelled_split_is_a_missing_label():
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    rows = {"text": ["a", "b", "c"], "label": [1, -1, None]}
    frame = to_frame(datasets.Dataset.from_dict(rows, features=features))
    with pytest.raises(DataFormatError, match=r"the label is missing in 2 of 3 rows: 1, 2"):
        ClassificationRun("x", label_names=["neg", "pos"]).validate_data_format(frame)


def test_plain_dataset_and_one_that_streams():
    dataset = datasets.Dataset.from_list(ROWS)
    assert to_frame(dataset).to_dict("records") == ROWS
    assert to_frame(dataset.to_iterable_dataset()).to_dict("records") == ROWS
    without_features = datasets.IterableDataset.from_generator(lambda: iter(ROWS))
    assert to_frame(without_features).to_dict("records") == ROWS


# ---- Sources that are refused ------------------------------------------------------------------------

DATASET = datasets.Dataset.from_list(ROWS)
TWO_LEVELS = pd.DataFrame(
    [["a", "b"]], columns=pd.MultiIndex.from_tuples([("text", 1), ("label", 2)])
)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (datasets.DatasetDict(train=DATASET, test=DATASET), "splits train, test: pass one"),
        (ROWS, "is a list. Convert it with pd.DataFrame(...)"),
        ({"text": ["a"]}, "is a dict. Convert it with pd.DataFrame(...)"),
        (pd.Series(["a"]), "is a Series"),
        (np.array(["a"]), "is a ndarray"),
        (None, "is a NoneType"),
        (5, "is a int"),
        (pd.DataFrame(), "has no rows"),
        (pd.DataFrame({"text": [], "label": []}), "has no rows"),
        (DATASET.select([]), "has no rows"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), "more than one column called text"),
        (TWO_LEVELS, "level"),
    ],
)
def test_what_is_no_data(data, said):
    with pytest.raises(DataFormatError) as caught:
        to_frame(data, "train_data")
    assert said in str(caught.value)
    assert "train_data" in str(caught.value)
    assert isinstance(caught.value, ValueError)


BAD_FILES = {
    "a.rtf": (b"text", "suffix '.rtf'"),
    "a.json": (b"{}", "has no rows"),
    "cut.json": (b'[{"text": "a"}', "not JSON"),
    "number.json": (b"5", "not an array of objects"),
    "noname": (b"", "suffix ''"),
    "a.csv.gz": (b"text,label", "cannot be read as gzip csv"),
    "empty.csv": (b"", "is empty"),
    "empty.csv.gz": (b"", "is empty"),
    "header.csv": (b"text,label\n", "has no rows"),
    "damaged.csv": ("text,label\ncafé,b\n".encode() + b"caf\xe9,b\n", "line 3: a byte is not"),
    "ragged.csv": (b"text,label\na,b\nc,d,e,f\n", "line 3: 4 fields, but the heading has 2"),
    "twice.csv": (b"text,label,label\na,b,c\n", "more than one column called label"),
    "twice.tsv": (b"text\ttext\na\tb\n", "more than one column called text"),
    "empty.jsonl": (b"\n", "has no rows"),
    "cut.jsonl": (b'{"text": "a"}\n{"text": \n', "jsonl"),
    "list.jsonl": (b"[1, 2]\n", "jsonl"),
    "number.jsonl": (b"5\n", "jsonl"),
    "damaged.jsonl": ('{"t": "é"}\n'.encode() + b'{"t": "\xe9"}\n', "line 2: a byte is not"),
    "no.parquet": (b"PAR1 no", "cannot be read as parquet"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_read(tmp_path, name):
    content, said = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataFormatError) as caught:
        to_frame(tmp_path / name)
    assert said in str(caught.value)
    assert name in str(caught.value) or "has no rows" in said or "more than one" in said
    assert len(BAD_FILES) == 19


@pytest.mark.parametrize("source", ["missing.csv", "no/such/folder", "*.csv", "nofiles"])
def test_nothing_there(tmp_path, monkeypatch, source):
    (tmp_path / "nofiles").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataFormatError, match="There is no data at") as caught:
        to_frame(source)
    assert str(tmp_path) in str(caught.value)


# ---- Rows of the classification task -----------------------------------------------------------------


def said_of(data, label_names=None, **columns):
    """Return the error message of the classification task for a frame."""
    frame = pd.DataFrame(data if data is not None else columns, dtype=object)
    run = ClassificationRun("x", label_names=label_names)
    with pytest.raises(DataFormatError) as caught:
        validate_frame(run, to_frame(frame), "train_data")
    assert str(caught.value).startswith("train_data: ")
    assert "Expected: a column 'text' of strings" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["Text", "label"], "no column 'text'; the columns are Text, label; did you mean 'Text'?"),
        (["text", "lable"], "no column 'label'; the columns are text, lable; did you mean"),
        (["x", "y"], "no column 'text'; the columns are x, y\n"),
        ([0, 1], "no column 'label'; the columns are 0, 1\n"),
    ],
)
def test_missing_columns(columns, said):
    assert said in said_of([dict(zip(columns, ["a", "b"], strict=True))])


def test_both_missing_columns_are_told_at_once():
    assert said_of([{"x": 1}]).count("there is no column") == 2


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_texts(missing):
    said = said_of(None, text=["a", missing, "c"], label=["x", "y", "x"])
    assert "column 'text': the text is missing in 1 of 3 rows: 1" in said


@pytest.mark.parametrize("text", [5, 1.5, b"abc", True, ["a"], {"a": 1}])
def test_texts_of_other_types(text):
    said = said_of(None, text=["a", text], label=["x", "y"])
    assert "column 'text': not a string (" in said
    assert "in 1 of 2 rows: 1" in said


def test_lone_surrogates_are_refused(tmp_path):
    said = said_of(None, text=["fine", "bad \ud800"], label=["x", "y"])
    assert "half of a surrogate pair" in said
    assert said.isprintable() or "\ud800" not in said
    assert has_surrogate("\udfff")
    assert not has_surrogate("🎈 \ufffd")


def test_lone_surrogates_of_a_file_are_refused_not_dropped(tmp_path):
    rows = [{"text": "bad \ud800 text", "label": "a"}, {"text": "fine", "label": "b"}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(DataFormatError, match="half of a surrogate pair"):
        validate_frame(ClassificationRun("x"), to_frame(path), "train_data")


def test_rows_are_index_labels_at_most_five_with_cells_cut_short():
    index = [f"row-{i}" for i in range(8)]
    values = [["x" * 1000]] * 7 + ["fine"]
    frame = pd.DataFrame({"text": values, "label": ["a", "b"] * 4}, index=index)
    with pytest.raises(DataFormatError) as caught:
        ClassificationRun("x").validate_data_format(frame)
    line = next(line for line in str(caught.value).splitlines() if "not a string" in line)
    assert line.endswith("in 7 of 8 rows: 'row-0', 'row-1', 'row-2', 'row-3', 'row-4' and 2 more")
    assert len(line) < 600


def test_text_and_label_problems_are_told_together():
    said = said_of(
        None,
        ["fruit", "animal"],
        text=["a", None, 5, "d"],
        label=["fruit", "fruits", "animal", None],
    )
    assert said.count("\n  - ") == 4
    assert "did you mean 'fruit'?" in said


def test_label_in_eval_only():
    run = ClassificationRun("x")
    train = pd.DataFrame({"text": ["a", "b"], "label": ["fruit", "animal"]})
    run.validate_data_format(train)
    run.infer_config(train)
    assert run.label_names == ["animal", "fruit"]
    with pytest.raises(DataFormatError, match="'mineral' is not in label_names"):
        validate_frame(run, pd.DataFrame({"text": ["c"], "label": ["mineral"]}), "eval_data")
    run.validate_data_format(pd.DataFrame({"text": ["c"], "label": ["fruit"]}))


@pytest.mark.parametrize("labels", [["a", "b"], [0, 1], [True, False], pd.Categorical(["a", "b"])])
def test_good_frames(labels):
    frame = pd.DataFrame({"text": ["", "x"], "label": labels, "input_ids": [1, 2]}, index=[5, 5])
    ClassificationRun("x").validate_data_format(frame)


def test_row_problems_names_numpy_index_labels_plainly():
    frame = pd.DataFrame({"a": [1, 2]}, index=np.array([7, 9]))
    assert row_problems(frame, [False, True], "odd") == ["odd in 1 of 2 rows: 9"]
    assert row_problems(frame, [False, False], "odd") == []


# ---- From a frame to a dataset -----------------------------------------------------------------------


def test_to_dataset_keeps_the_wanted_columns_of_both():
    frame = pd.DataFrame({"text": list("abc"), "weight": [1, 2, 3], "other": [0, 0, 0]})
    dataset = to_dataset(
        frame,
        lambda rows: {
            "input_ids": [[ord(text)] for text in rows["text"]],
            "unwanted": rows["text"],
        },
        ["input_ids", "weight", "nowhere"],
        progress=False,
    )
    assert dataset.to_dict() == {"input_ids": [[97], [98], [99]], "weight": [1, 2, 3]}


def test_to_dataset_in_chunks_is_in_order(monkeypatch):
    monkeypatch.setattr("clx.ml.data.dataset.CHUNK_ROWS", 4)
    seen = []
    frame = pd.DataFrame({"text": [str(i) for i in range(10)]}, index=[3] * 10)

    def tokenize(rows):
        seen.append(len(rows["text"]))
        return {"input_ids": [[int(text)] for text in rows["text"]]}

    dataset = to_dataset(frame, tokenize, ["input_ids"], progress=False)
    assert seen == [4, 4, 2]
    assert dataset["input_ids"][:] == [[i] for i in range(10)]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ([1, 2], "must return a dict, but returned a list"),
        ({"input_ids": [[1]]}, "was given 2 rows"),
        ({"other": [1, 2]}, r"none of dataset_cols \(input_ids\)"),
    ],
)
def test_what_tokenize_must_not_return(returned, said):
    frame = pd.DataFrame({"text": ["a", "b"]})
    with pytest.raises(PluginError, match=said):
        to_dataset(frame, lambda rows: returned, ["input_ids"], progress=False)


def test_fingerprint_is_of_values_and_order_not_of_the_index():
    frame = pd.DataFrame({"text": ["a", "b"], "label": [1, 0]})
    same = fingerprint(frame)
    assert fingerprint(frame.set_axis([5, 5])) == same
    others = [
        frame[::-1],
        frame[["label", "text"]],
        frame.rename(columns={"text": "Text"}),
        frame.assign(label=["1", "0"]),
        frame.assign(text=["ab", ""]),
        frame.head(1),
    ]
    assert len({same, *map(fingerprint, others)}) == 7
