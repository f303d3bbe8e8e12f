"""A user joined the predictions to the data by hand, and a list of texts had to become a frame."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clx.errors import ConfigError, DataFormatError
from clx.ml import training_run

TEXTS = ["a big apple", "the cat", "banana"]


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory):
    run = training_run(
        "classification",
        "kept",
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        base_model_name=tiny_model,
        pooling="model",
        label_texts=None,
    )
    run.train(
        pd.DataFrame({"text": ["apple", "cat", "pear", "dog"], "label": [1, 0, 1, 0]}),
        fine_tune=False,
    )
    return run


@pytest.fixture
def frame():
    columns = {"id": [7, 8, 9], "text": TEXTS, "label": [1, 0, None], "label_by": ["a", "b", "c"]}
    return pd.DataFrame(columns, index=["x", "y", "y"])


@pytest.mark.parametrize(
    "column",
    [
        TEXTS,
        tuple(TEXTS),
        iter(TEXTS),
        np.array(TEXTS),
        pa.array(TEXTS),
        pl.Series(TEXTS),
        pd.Series(TEXTS),
    ],
    ids=["list", "tuple", "iterator", "numpy", "pyarrow", "polars", "pandas"],
)
def test_a_column_of_texts_is_a_frame_of_predictions(run, column):
    expected = run.predict_frame(pd.DataFrame({"text": TEXTS}))
    pd.testing.assert_frame_equal(run.predict_frame(column), expected)


def test_a_series_keeps_its_index(run, frame):
    predicted = run.predict_frame(frame["text"])
    assert list(predicted.index) == ["x", "y", "y"]
    pd.testing.assert_frame_equal(predicted, run.predict_frame(frame))


def test_a_list_can_be_kept_too_and_may_be_empty(run):
    assert list(run.predict_frame(TEXTS, keep=True)["text"]) == TEXTS
    assert run.predict_frame([]).empty


def test_what_is_not_a_text_is_named_by_its_row(run):
    with pytest.raises(DataFormatError, match=r"not a string \(3\) in 1 of 2 rows: 1"):
        run.predict_frame(["a", 3])
    with pytest.raises(DataFormatError, match="missing in 1 of 2 rows: 'q'"):
        run.predict_frame(pd.Series(["a", None], index=["p", "q"]))


def test_all_columns_are_kept_as_in_a_file(run, frame, tmp_path):
    kept = run.predict_frame(frame, keep=True)
    assert list(kept.index) == list(frame.index)
    pd.testing.assert_frame_equal(kept[list(frame.columns)], frame)
    frame.to_parquet(tmp_path / "in.parquet", index=False)
    file = pd.read_parquet(run.predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet"))
    assert list(kept.columns) == list(file.columns)
    assert list(kept["predicted_label"]) == list(file["predicted_label"])


def test_some_columns_are_kept_in_their_order(run, frame):
    columns = list(run.predict_frame(frame, keep=["label_by", "id"]).columns)
    assert columns[:3] == ["label_by", "id", "label"]
    assert "id" in run.predict_frame(frame, keep="id")
    assert list(run.predict_frame(frame, keep=[]).columns) == columns[2:]


def test_a_second_prediction_needs_other_names(run, frame):
    done = run.predict_frame(frame, keep=True)
    with pytest.raises(DataFormatError, match="prefix='second_', or leave them out with keep="):
        run.predict_frame(done, keep=True)
    again = run.predict_frame(done, keep=True, prefix="second_")
    assert list(again["second_label"]) == list(done["predicted_label"])


def test_wrong_values_of_keep_are_refused(run, frame):
    with pytest.raises(DataFormatError, match=r"no column 'idd'.*did you mean 'id'"):
        run.predict_frame(frame, keep=["idd"])
    with pytest.raises(ConfigError, match="keep must be True, False or a list of columns"):
        run.predict_frame(frame, keep=3)
