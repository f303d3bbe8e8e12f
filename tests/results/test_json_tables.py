"""Tables and numbers in JSON: what JSON has no number for is null, and a table comes back."""

import json

import numpy as np
import pandas as pd
import pytest

from clx.ml.results.comparison import Comparison
from clx.ml.results.json_tables import json_number, table_from_json, table_to_json


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf, np.float64("nan")])
def test_numbers_that_json_does_not_have_are_null(value):
    assert json_number(value) is None


@pytest.mark.parametrize("value", [0.5, 0, "nan", None, True, ["a"]])
def test_other_values_stay(value):
    assert json_number(value) is value


def test_a_table_comes_back_from_json():
    table = pd.DataFrame(
        {"f1": [0.5, np.nan], "rows": [3, 0], "label": ["a", None]}, index=[1, "b"]
    )
    written = json.loads(json.dumps(table_to_json(table), allow_nan=False))
    assert written == {
        "index": ["1", "b"],
        "columns": ["f1", "rows", "label"],
        "rows": [[0.5, 3, "a"], [None, 0, None]],
    }
    back = table_from_json(written)
    assert list(back.index) == ["1", "b"]
    assert back["rows"].tolist() == [3, 0]


def counts(names, filled, seed=0):
    """A table of counts with this number of filled cells."""
    rng = np.random.default_rng(seed)
    values = np.zeros(len(names) ** 2, dtype=np.int64)
    values[rng.choice(values.size, filled, replace=False)] = rng.integers(1, 9, filled)
    return pd.DataFrame(values.reshape(len(names), -1), index=names, columns=names)


def test_a_large_table_of_few_counts_is_written_as_its_cells():
    table = counts([f"label {number}" for number in range(150)], filled=300)
    written = json.loads(json.dumps(table_to_json(table)))
    assert set(written) == {"index", "cells"}
    assert len(written["cells"]) == 300
    pd.testing.assert_frame_equal(table_from_json(written), table)
    renamed = table.rename(columns=str.upper)
    pd.testing.assert_frame_equal(table_from_json(table_to_json(renamed)), renamed)


@pytest.mark.parametrize(
    "table",
    [
        counts(list("abcde"), filled=3),
        counts([str(number) for number in range(150)], filled=9000),
        counts([str(number) for number in range(150)], filled=300).astype(float),
        pd.DataFrame({"text": ["a"] * 20_000}),
    ],
    ids=["small", "full", "numbers that are not whole", "texts"],
)
def test_any_other_table_is_written_in_rows(table):
    written = table_to_json(table)
    assert set(written) == {"index", "columns", "rows"}
    assert len(written["rows"]) == len(table)


@pytest.mark.parametrize("value", [None, [], {"rows": []}, "table"])
def test_what_is_not_a_table_is_none(value):
    assert table_from_json(value) is None


def test_a_comparison_without_intervals_is_saved(tmp_path):
    metrics = pd.DataFrame(
        {
            "own": [0.5],
            "other": [np.inf],
            "difference": [np.inf],
            "low": [np.nan],
            "high": [np.nan],
        },
        index=["mse"],
    )
    comparison = Comparison(("one", "two"), metrics, pd.DataFrame(), pd.DataFrame(), None, 4)
    comparison.save(tmp_path)
    kept = json.loads((tmp_path / "comparison.json").read_text())
    assert kept["metrics"]["rows"] == [[0.5, None, None, None, None]]
    assert "two compared with one" in (tmp_path / "report.html").read_text()
