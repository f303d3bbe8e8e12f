"""Soft labels and weights of rows, from the cells of any source to the columns of a dataset."""

import json

import numpy as np
import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError, PluginError
from clx.ml import training_run
from clx.ml.data import label_probabilities, soft_names, to_frame, vote_shares
from clx.ml.data.row_targets import targets_of_frame, weighted_rows
from clx.ml.label_lists import label_list
from clx.ml.labels import column_labels, label_values

ROWS = [
    {"text": "a", "label": {"x": 0.7, "y": 0.3}},
    {"text": "b", "label": {"y": 1.0}},
    {"text": "c", "label": {"z": 0.5, "x": 0.5}},
]
EXPECTED = np.array([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]], np.float32)


def task(**options):
    return training_run("classification", "soft", **options)


def checked(frame, name="classification", **options):
    run = training_run(name, "soft", **options)
    run.validate_data_format(frame)
    run.infer_config(frame)
    return run


def sources(folder):
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = pd.DataFrame(ROWS)
    frame.assign(label=frame.label.map(json.dumps)).to_csv(folder / "rows.csv", index=False)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "struct.parquet")
    kind = pa.map_(pa.string(), pa.float64())
    cells = pa.array([list(row["label"].items()) for row in ROWS], kind)
    pq.write_table(pa.table({"text": list("abc"), "label": cells}), folder / "map.parquet")
    files = ["rows.csv", "rows.jsonl", "struct.parquet", "map.parquet"]
    return {"frame": frame, "dataset": datasets.Dataset.from_list(ROWS)} | {
        name: folder / name for name in files
    }


def test_every_source_gives_the_same_probabilities(tmp_path):
    for name, source in sources(tmp_path).items():
        frame = to_frame(source)
        run = checked(frame)
        assert run.label_names == ["x", "y", "z"], name
        np.testing.assert_array_equal(run.row_probabilities(frame), EXPECTED, err_msg=name)
        # Of two equal ones, the first in the cell; a struct has the order of its fields.
        assert run.row_labels(frame)[:2] == ["x", "y"], name


def test_hard_and_soft_labels_mix_in_a_column():
    frame = pd.DataFrame({"text": list("abc"), "label": ["y", {"x": 0.6, "z": 0.4}, ["x"]]})
    run = checked(frame)
    assert run.label_names == ["x", "y", "z"]
    assert run.row_labels(frame) == ["y", "x", "x"]
    expected = np.array([[0, 1, 0], [0.6, 0, 0.4], [1, 0, 0]], np.float32)
    np.testing.assert_array_equal(run.row_probabilities(frame), expected)


def test_rounded_probabilities_are_divided_by_their_sum():
    frame = pd.DataFrame({"text": ["a"], "label": [{"x": 0.33, "y": 0.33, "z": 0.33}]})
    assert checked(frame).row_probabilities(frame).sum() == pytest.approx(1)


def test_a_label_name_that_is_a_json_object_stays_a_name():
    name = '{"x": 1}'
    assert label_values([name], [name, "y"]) == [name]
    assert label_probabilities([name], [name], [name, "y"]) is None


def test_an_annotation_object_is_no_soft_label():
    assert label_list({"choices": ["x"]}) == ["x"]
    assert soft_names([{"choices": ["x"]}, "x", 3, None, {"x": "y"}]) == []


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ({"x": 0.7, "y": 0.7}, r"must sum to 1 \(clx.ml.data.vote_shares .*1 of 2 rows: 'b'"),
        ({"x": 3, "y": 1}, "must sum to 1"),
        ({}, "must sum to 1"),
        ({"x": -0.1, "y": 1.1}, "a probability is negative"),
        ({"x": float("nan"), "y": 1}, "not a finite number"),
        ({"x": float("inf")}, "not a finite number"),
        ({"x": "much"}, "a label must be a str"),
    ],
)
def test_wrong_probabilities_are_named_with_their_row(label, said):
    frame = pd.DataFrame({"text": ["a", "b"], "label": [{"x": 0.5, "y": 0.5}, label]}, ["a", "b"])
    with pytest.raises(DataFormatError, match=said):
        checked(frame)


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_an_unlikely_label_that_is_unknown_is_an_error(name):
    frame = pd.DataFrame({"text": ["a"], "label": [{"x": 0.9, "zz": 0.1}]})
    with pytest.raises(DataFormatError, match="the label 'zz' is not in label_names"):
        checked(frame, name, label_names=["x", "y"])


def test_soft_labels_of_several_labels_are_independent():
    cells = [{"x": 0.9, "y": 0.8}, '{"z": 0.2}', ["x"], {}, "y|z"]
    frame = pd.DataFrame({"text": list("abcde"), "labels": cells})
    run = checked(frame, "multilabel")
    assert run.label_names == ["x", "y", "z"]
    assert run.row_labels(frame) == [["x", "y"], [], ["x"], [], ["y", "z"]]
    expected = [[0.9, 0.8, 0], [0, 0, 0.2], [1, 0, 0], [0, 0, 0], [0, 1, 1]]
    np.testing.assert_array_equal(run.row_probabilities(frame), np.array(expected, np.float32))


def test_a_probability_above_one_of_several_labels_is_an_error():
    frame = pd.DataFrame({"text": ["a", "b"], "labels": [{"x": 2, "y": 1}, {"y": 0.5}]})
    with pytest.raises(DataFormatError, match="above 1; divide votes by the number of voters"):
        checked(frame, "multilabel")


def test_labels_of_a_column_include_the_unlikely_ones():
    assert column_labels(["x", {"y": 0.9, "z": 0.1}]) == ["x", "y", "y", "z"]


def test_votes_become_probabilities():
    assert vote_shares([{"x": 3, "y": 1}, ["x", "y", "y", "x"], ("y",)]) == [
        {"x": 0.75, "y": 0.25},
        {"x": 0.5, "y": 0.5},
        {"y": 1.0},
    ]
    for nothing in ({}, [], {"x": 0}, {"x": -1, "y": 2}, None):
        with pytest.raises(DataFormatError, match="row 1 must have at least one vote"):
            vote_shares([["x"], nothing])


def test_the_check_of_data_counts_what_is_expected(tiny_model):
    soft = [{"fruit": 0.9, "animal": 0.1}] * 2 + [{"fruit": 0.6, "animal": 0.4}] * 6
    texts = ["apple", "apple", "apple", *(f"the {word}" for word in "cat dog cow hen pig".split())]
    found = task(base_model_name=tiny_model).check(pd.DataFrame({"text": texts, "label": soft}))
    messages = {finding.kind: finding.message for finding in found.findings}
    # No row is an animal's, but it is expected in 2.6; and the third apple has other votes.
    assert messages.keys() == {"rare_labels", "duplicate_rows"}
    assert "'animal' (2.6 rows)" in messages["rare_labels"]
    assert "in 1 of 8 rows" in messages["duplicate_rows"]


# ---- Weights ----------------------------------------------------------------------------------


def weighted_frame(weights):
    return pd.DataFrame({"text": ["a", "b", "c"], "label": ["x", "y", "x"], "w": weights})


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1, None, 2], "the weight is missing in 1 of 3 rows: 1"),
        ([1, float("nan"), 2], "the weight is missing"),
        ([1, float("inf"), 2], "not a finite number .* in 1 of 3 rows: 1"),
        ([1, 2, -0.5], r"a negative weight \(-0.5\) in 1 of 3 rows: 2"),
        (["1", "heavy", "2"], r"not a finite number \('heavy'\)"),
        ([True, 2, 3], "not a finite number"),
        ([0, 0, 0.0], "all weights are 0"),
    ],
)
def test_weights_that_are_no_weights_are_errors(weights, said):
    run, frame = task(weight_column="w"), weighted_frame(pd.Series(weights, dtype=object))
    with pytest.raises(DataFormatError, match=said):
        weighted_rows(run, frame, "train_data")
    with pytest.raises(DataFormatError, match=said):
        run.train(frame)


def test_training_data_needs_the_column():
    with pytest.raises(DataFormatError, match=r"no column 'wight'; .*did you mean 'weight'"):
        task(weight_column="wight").train(weighted_frame([1, 2, 3]).rename(columns={"w": "weight"}))


def test_a_column_of_texts_or_labels_is_no_column_of_weights():
    for name in ("text", "label", "labels", "", 3):
        with pytest.raises(ConfigError, match="weight_column"):
            task(weight_column=name)


def test_rows_of_weight_zero_are_left_out_and_equal_weights_are_none():
    run = task(weight_column="w")
    frame = weighted_rows(run, weighted_frame(["2", "0", "6"]), "data")
    assert frame.index.tolist() == [0, 2]
    np.testing.assert_allclose(targets_of_frame(run, frame).weights, [0.5, 1.5])
    assert not targets_of_frame(run, weighted_frame([3, 3, 3]))
    assert not targets_of_frame(run, weighted_frame([1, 2, 3]).drop(columns="w"))


def test_a_task_with_the_wrong_shape_of_probabilities_is_named():
    run = task()
    run.row_probabilities = lambda data: [[1.0, 0.0]]
    with pytest.raises(PluginError, match=r"must return shape \(rows, labels\)"):
        targets_of_frame(run, weighted_frame([1, 1, 1]))
