"""``clx.batch.Predictor``: the predictions of ``predict_frame`` for every kind of table."""

import copy
import datetime
import multiprocessing
import pickle
import shutil
import subprocess
import sys
import threading

import cloudpickle
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clx.batch import Predictor
from clx.errors import (
    ConfigError,
    DataFormatError,
    NotTrainedError,
    RunDirError,
    RunNotFoundError,
    TruncationWarning,
)
from clx.ml import training_run
from clx.ml.batch import opened
from clx_runtime.cpus import given_cpus
from conftest import fruit_frame, mixed_texts

ADDED = ["label", "score", "margin", "abstained", "truncated", "error"]
TEXTS = mixed_texts(30)


@pytest.fixture(scope="module")
def run_dir(_trained_once):
    """A run directory that the tests do not change."""
    return _trained_once


@pytest.fixture
def predictor(run_dir):
    return Predictor(run_dir)


@pytest.fixture(scope="module")
def whole(run_dir):
    """The texts, and the predictions of all of them in one call."""
    run = training_run(load=run_dir)
    with pytest.warns(TruncationWarning):
        return run.predict_frame(pd.DataFrame({"text": TEXTS}), all_scores=True)


def same(table, expected):
    """Compare predictions with the rows of predict_frame: labels exactly, scores to 1e-5."""
    frame = pd.DataFrame(table)
    for column in ("label", "abstained", "truncated"):
        assert list(frame[column]) == list(expected[column])
    for column in [name for name in expected if "score" in name or name == "margin"]:
        assert np.allclose(frame[column].astype(float), expected[column], atol=1e-5)


# ---- Kinds of tables -----------------------------------------------------------------------------


def test_slices_are_predicted_as_the_whole(run_dir, whole):
    predictor = Predictor(run_dir, all_scores=True)
    table = pa.table({"text": TEXTS})
    parts = [predictor(part) for part in table.to_batches(max_chunksize=7)]
    assert {part.schema for part in parts} == {parts[0].schema}
    assert parts[0].schema == pa.schema([("text", pa.string()), *predictor.schema()])
    same(pa.Table.from_batches(parts).to_pydict(), whole)


def test_slices_are_predicted_as_the_whole_with_onnx(run_dir, whole, tmp_path):
    pytest.importorskip("onnxruntime")
    folder = shutil.copytree(run_dir, tmp_path / "exported")
    with pytest.raises(NotTrainedError, match="export"):
        Predictor(folder, backend="onnx")
    training_run(load=folder).export("onnx", texts=TEXTS)
    for threads in (None, 1):
        predictor = Predictor(folder, all_scores=True, backend="onnx", threads=threads)
        predictor = pickle.loads(pickle.dumps(predictor))
        parts = [predictor(part) for part in pa.table({"text": TEXTS}).to_batches(max_chunksize=40)]
        same(pa.Table.from_batches(parts).to_pydict(), whole)


def test_a_dict_of_arrays(predictor, whole):
    batch = {"n": np.arange(len(TEXTS), dtype=np.int16), "text": np.array(TEXTS, dtype=object)}
    found = predictor(batch)
    assert list(batch) == ["n", "text"]
    assert list(found) == ["n", "text", *ADDED]
    assert all(isinstance(column, np.ndarray) for column in found.values())
    assert found["n"] is batch["n"]
    assert [found[name].dtype for name in ADDED] == [object, float, float, bool, bool, object]
    same(found, whole.drop(columns=["score_animal", "score_fruit"]))


@pytest.mark.parametrize(
    "make",
    [
        lambda texts: np.array(texts),
        lambda texts: np.array(texts, dtype=np.dtypes.StringDType()),
        lambda texts: pa.array(texts),
    ],
    ids=["unicode", "string", "arrow"],
)
def test_arrays_of_texts(predictor, make):
    assert list(predictor({"text": make(["apple", "cat"])})["label"]) == ["fruit", "animal"]


def test_a_dict_of_lists_gets_lists(predictor):
    found = predictor({"text": ["apple", None], "n": [1, 2]})
    assert found["label"] == ["fruit", None]
    assert found["abstained"] == [False, None]
    assert found["error"] == [None, "column 'text': the text is missing"]


def test_arrow_tables_keep_everything_else(predictor):
    schema = pa.schema(
        [
            pa.field("n", pa.int32(), metadata={"unit": "m"}),
            pa.field("text", pa.dictionary(pa.int8(), pa.string())),
            pa.field("when", pa.timestamp("ns", "UTC")),
        ],
        metadata={"made by": "hand"},
    )
    when = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    rows = {"n": [1, None], "text": ["apple", "cat"], "when": [when, None]}
    table = pa.concat_tables([pa.table(rows, schema)] * 2)
    found = predictor(table)
    assert type(found) is pa.Table
    assert found.select(schema.names) == table
    assert found.schema.metadata == schema.metadata
    assert found.schema.field("n").metadata == {b"unit": b"m"}
    assert found.column("n").num_chunks == 2
    assert found.column("label").to_pylist() == ["fruit", "animal"] * 2
    (batch, _) = table.to_batches()
    assert type(predictor(batch)) is pa.RecordBatch
    assert predictor(batch).schema == found.schema


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.string_view(), pa.json_(pa.string())], ids=str
)
def test_kinds_of_arrow_texts(predictor, kind):
    texts = ['"apple"', '"cat"'] if "json" in str(kind) else ["apple", "cat"]
    array = pa.array(texts, kind.storage_type if "json" in str(kind) else kind)
    if "json" in str(kind):
        array = pa.ExtensionArray.from_storage(kind, array)
    table = pa.concat_tables([pa.table({"text": array})] * 2)
    assert predictor(table).column("label").to_pylist() == ["fruit", "animal"] * 2


def test_pandas_keeps_index_and_dtypes(predictor):
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 3)], names=["x", "y"])
    frame = pd.DataFrame(
        {"text": ["apple", None, "cat"], "n": pd.array([1, None, 3], "Int8"), 7: [1.5, 2.5, 3.5]},
        index=index,
    )
    frame["kind"] = pd.Categorical(["u", "v", "u"])
    frame.attrs["source"] = "here"
    before = frame.copy(deep=True)
    found = predictor(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(found[list(frame.columns)], before)
    assert found.attrs == {"source": "here"}
    assert list(found.columns) == [*frame.columns, *ADDED]
    assert found["label"].tolist()[::2] == ["fruit", "animal"]
    assert found["abstained"].dtype == "boolean"
    # The dtypes are the same without rows, and with a bad row.
    assert list(predictor(frame.head(0)).dtypes) == list(found.dtypes)
    assert list(predictor(frame.head(1)).dtypes) == list(found.dtypes)


def test_missing_texts_of_pandas_are_errors_of_rows(predictor):
    values = ["apple", None, np.nan, pd.NA, pd.NaT, 3, b"cat", "\ud800", ["cat"], np.array([1, 2])]
    found = predictor(pd.DataFrame({"text": pd.Series(values, dtype=object)}))
    errors = found["error"].tolist()
    assert found["label"].isna().tolist() == [False] + [True] * 9
    assert errors[1:5] == ["column 'text': the text is missing"] * 4
    assert errors[5] == "column 'text': not a string (3)"
    assert errors[6] == "column 'text': not a string (b'cat')"
    assert "surrogate" in errors[7]
    assert all("not a string" in error for error in errors[8:])


def test_polars(predictor):
    frame = pl.DataFrame({"text": ["apple", None, "cat"], "n": [1, 2, None]})
    found = predictor(frame)
    assert type(found) is pl.DataFrame
    assert found.select("text", "n").equals(frame)
    assert found["label"].to_list() == ["fruit", None, "animal"]
    assert found.schema["score"] == pl.Float64
    assert predictor(frame.head(0)).schema == found.schema
    assert Predictor(predictor.run, columns=[])(frame).columns == ADDED


def test_other_things_are_refused_with_a_way_out(predictor):
    with pytest.raises(DataFormatError, match="map_batches"):
        predictor(pl.LazyFrame({"text": ["apple"]}))
    with pytest.raises(DataFormatError, match="table of pyarrow"):
        predictor(["apple"])
    with pytest.raises(DataFormatError, match="must be an array or a list"):
        predictor({"text": "apple"})
    with pytest.raises(DataFormatError, match=r"no column 'text'; the columns are txt"):
        predictor({"txt": np.array(["apple"])})
    twice = pd.DataFrame([["apple", "cat"]], columns=["text", "text"])
    with pytest.raises(DataFormatError, match="more than one column 'text'"):
        predictor(twice)
    other = pd.DataFrame([["apple", 1, 2]], columns=["text", "n", "n"])
    assert list(predictor(other).columns) == ["text", "n", "n", *ADDED]


# ---- Columns and errors --------------------------------------------------------------------------


def test_bytes_are_errors_of_rows_and_raise_names_them(predictor):
    batch = {"text": np.array([b"apple", b"cat"])}
    assert list(predictor(batch)["label"]) == [None, None]
    strict = Predictor(predictor.run, on_error="raise")
    with pytest.raises(DataFormatError, match=r"not a string \(b'cat'\) in 1 rows: 1"):
        strict(batch)
    found = strict({"text": np.array(["apple"])})
    assert list(found) == ["text", *ADDED[:-1]]


def test_names_that_are_taken(predictor):
    table = pa.table({"text": ["apple"], "label": ["x"], "error": ["y"]})
    found = predictor(table)
    names = ["predicted_label", *ADDED[1:-1], "predicted_error"]
    assert found.column_names == [*table.column_names, *names]
    assert predictor.schema(table.column_names).names == names
    with pytest.raises(DataFormatError, match="prefix='second_'"):
        predictor(found)
    prefixed = Predictor(predictor.run, prefix="ours_", columns="label")
    assert prefixed(found).column_names == ["label", *(f"ours_{name}" for name in ADDED)]
    with pytest.raises(DataFormatError, match="no column 'other'"):
        Predictor(predictor.run, columns=["other"])(table)


def test_the_schema_needs_no_weights(run_dir):
    code = f"""
import sys, clx.batch
assert not {{"torch", "transformers", "pandas", "pyarrow"}} & set(sys.modules)
predictor = clx.batch.Predictor({str(run_dir)!r}, all_scores=True)
assert predictor.schema().names[-3:] == ["score_fruit", "truncated", "error"]
assert not {{"torch", "transformers", "pandas"}} & set(sys.modules)
predictor({{"text": []}})
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_parts_have_the_schema_even_without_a_single_prediction(predictor):
    bad = predictor(pa.record_batch({"text": pa.array([None, None], pa.string())}))
    none = predictor(pa.record_batch({"text": pa.array([], pa.string())}))
    assert bad.schema == none.schema
    assert bad.schema.remove(0) == predictor.schema()


@pytest.mark.parametrize("kind", ["int", "bool"])
def test_labels_have_their_types(tiny_model, kind):
    labels = [10, 2] if kind == "int" else [True, False]
    frame = fruit_frame(8)
    frame["label"] = [labels[number % 2] for number in range(8)]
    run = training_run(
        "classification", f"{kind}s", base_model_name=tiny_model, training_args={"max_steps": 1}
    )
    run.train(frame)
    predictor = Predictor(run, min_score=1.0)
    assert predictor.schema().field("label").type == (pa.int64() if kind == "int" else pa.bool_())
    found = predictor(frame.assign(text=[None, *frame["text"][1:]]))
    assert found["predicted_label"].dtype == ("Int64" if kind == "int" else "boolean")
    assert Predictor(run)(pa.table({"text": ["cat"]})).column("label")[0].as_py() in labels


# ---- Processes and threads -----------------------------------------------------------------------


def predict_in_child(predictor, folder):
    """Predict in a process of its own, whose working directory is another one."""
    return predictor(pa.table({"text": ["apple", "cat"]})).column("label").to_pylist()


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_other_processes(run_dir, tmp_path, monkeypatch, method):
    monkeypatch.chdir(run_dir.parent)
    predictor = Predictor(run_dir.name)
    predictor(pa.table({"text": ["cat"]}))
    monkeypatch.chdir(tmp_path)
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        found = pool.apply_async(predict_in_child, (predictor, tmp_path)).get(timeout=300)
    assert found == ["fruit", "animal"]


def test_the_pickle_is_a_reference(predictor):
    predictor(pa.table({"text": ["cat"]}))
    for module in (pickle, cloudpickle):
        data = module.dumps(predictor)
        assert len(data) < 2000
        assert (
            module.loads(data)(pa.table({"text": ["cat"]})).column("label")[0].as_py() == "animal"
        )


def test_predictors_of_a_run_share_its_weights(run_dir, tmp_path, monkeypatch):
    from clx.ml.run.loaded import Loaded

    loads = []
    load = Loaded._new_model
    monkeypatch.setattr(Loaded, "_new_model", lambda *a, **k: loads.append(1) or load(*a, **k))
    folder = shutil.copytree(run_dir, tmp_path / "shared")
    first, second = Predictor(folder), Predictor(training_run(load=folder), prefix="x_")
    batch = pa.table({"text": ["cat"]})
    other = Predictor(shutil.copytree(run_dir, tmp_path / "other"))
    # A worker of an engine unpickles the predictors of several runs in turn.
    for predictor in (first, other, second, other, copy.copy(second), other):
        pickle.loads(pickle.dumps(predictor))(batch)
    assert len(loads) == 2


def test_threads_get_the_same_predictions(run_dir, whole, tmp_path):
    predictor = Predictor(shutil.copytree(run_dir, tmp_path / "own"), all_scores=True)
    found, barrier = {}, threading.Barrier(4)

    def work(number):
        barrier.wait(60)
        found[number] = predictor(pa.table({"text": TEXTS[number::4]})).to_pydict()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    for number in range(4):
        same(found[number], whole.iloc[number::4])


def test_a_run_that_was_trained_again_is_not_mixed_into_a_job(tiny_model, tmp_path, monkeypatch):
    run = training_run(
        "classification", "again", run_dir_parent=tmp_path, base_model_name=tiny_model
    )
    with pytest.raises(NotTrainedError, match="'again' is not trained"):
        Predictor(run)
    with pytest.raises(RunNotFoundError):
        Predictor("no-such-run")
    run.training_args["max_steps"] = 1
    run.train(fruit_frame(8))
    sent = pickle.dumps(Predictor(run.run_dir))
    run.train(fruit_frame(10), overwrite=True)
    batch = pa.table({"text": ["cat"]})
    with pytest.raises(RunDirError, match="was replaced since it was opened"):
        pickle.loads(sent)(batch)
    monkeypatch.setattr(opened, "_OPENED", opened._OpenedRuns())
    with pytest.raises(RunDirError, match="trained again since"):
        pickle.loads(sent)(batch)
    Predictor(run)(batch)


def test_options_that_the_caller_set_travel_with_the_run(run_dir):
    run = training_run(load=run_dir)
    run.min_score = 1.01
    sent = pickle.loads(pickle.dumps(Predictor(run)))
    assert sent(pa.table({"text": ["cat"]})).column("abstained")[0].as_py() is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": 3}, "run must be a run, or the path of one"),
        ({"on_error": "ignore"}, "on_error must be"),
        ({"threads": 0}, "threads must be"),
        ({"threads": True}, "threads must be"),
        ({"backend": "tensorflow"}, "backend must be"),
        ({"min_score": 2}, "min_score must be"),
        ({"batch_size": 0}, "batch_size must be"),
    ],
)
def test_wrong_arguments(run_dir, options, message):
    with pytest.raises(ConfigError, match=message):
        Predictor(**{"run": run_dir, **options})


def test_torch_computes_with_the_threads_only_during_a_call(run_dir, monkeypatch):
    import torch

    from clx.ml.run.predicting import PredictingRun

    seen = []
    windows = PredictingRun._predict_windows

    def watched(self, *args, **kwargs):
        for window in windows(self, *args, **kwargs):
            seen.append(torch.get_num_threads())
            yield window

    monkeypatch.setattr(PredictingRun, "_predict_windows", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        assert given_cpus() == 1
        for threads in (3, None):
            Predictor(run_dir, threads=threads)(pa.table({"text": ["cat"]}))
            assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
    assert seen == [3, 1]
