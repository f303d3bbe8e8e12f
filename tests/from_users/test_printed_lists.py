"""A user wrote a column of arrays to csv: clx read ``['a' 'b']`` as the label ``ab``, in every row."""

import json

import numpy as np
import pandas as pd
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.label_lists import label_list

ROWS = [["fruit", "red"], ["fruit"], [], ["it's", 'say "x"'], ["a b", "c,d", "é"]]
FORMS = {
    "printed array": lambda row: str(np.array(row, dtype=object)),
    "printed array of strings": lambda row: str(np.array(row, dtype=str)),
    "repr of an array": lambda row: repr(np.array(row, dtype=object)),
    "repr of an array of strings": lambda row: repr(np.array(row, dtype=str)),
    "list of NumPy strings": lambda row: repr([np.str_(name) for name in row]),
    "printed list": repr,
    "printed tuple": lambda row: repr(tuple(row)),
    "json": json.dumps,
    "choices": lambda row: json.dumps({"choices": row}),
    "printed choices": lambda row: repr({"choices": row}),
    "postgres": lambda row: (
        "{" + ",".join(json.dumps(name, ensure_ascii=False) for name in row) + "}"
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_printed_lists_are_read_back(form, row):
    assert label_list(FORMS[form](row)) == row


@pytest.mark.parametrize("kind", [set, frozenset], ids=["set", "frozenset"])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_printed_sets_are_read_back_in_order(kind, row):
    assert label_list(repr(kind(row))) == sorted(row)


@pytest.mark.parametrize("values", [[1, 0, 1], [True, False], [-3, 12]])
def test_numbers_and_booleans_keep_their_type(values):
    for text in (
        str(np.array(values)),
        repr(np.array(values)),
        repr([np.array(v)[()] for v in values]),
    ):
        assert label_list(text) == values
        assert {type(value) for value in label_list(text)} == {type(values[0])}


def test_lines_that_numpy_breaks_are_one_list():
    row = [f"a label of some length, number {number}" for number in range(20)]
    printed = str(np.array(row))
    assert printed.count("\n") > 5
    assert label_list(printed) == row


def test_forms_that_no_program_prints_are_not_lists():
    for text in ("['a' 'b', 'c']", "['it''s']", "[a, b]", "[open('x')]"):
        assert label_list(text) is None
    assert label_list("(other)|[x") == ["(other)", "[x"]


def test_a_csv_of_printed_arrays_has_the_labels(tiny_model, tmp_path):
    labels = [np.array(["fruit", "red"]), np.array(["fruit"]), np.array([], dtype=str)] * 4
    data = pd.DataFrame({"text": [f"apple {n}" for n in range(12)], "labels": labels})
    data.to_csv(tmp_path / "rows.csv", index=False)
    assert "['fruit' 'red']" in (tmp_path / "rows.csv").read_text()
    run = training_run("multilabel", "printed", base_model_name=tiny_model)
    assert run.check(tmp_path / "rows.csv").label_counts["train_data"] == {"fruit": 8, "red": 4}


def test_lists_that_numpy_cut_short_are_an_error_with_the_rows(tiny_model):
    printed = str(np.array([f"label {number}" for number in range(2000)]))
    assert "..." in printed
    data = pd.DataFrame({"text": ["a", "b"], "labels": [printed, "['label 1' 'label 2']"]})
    run = training_run("multilabel", "short", base_model_name=tiny_model)
    with pytest.raises(DataFormatError, match=r"cut short when it was printed.*1 of 2 rows: 0"):
        run.check(data)
    single = data.rename(columns={"labels": "label"})
    with pytest.raises(DataFormatError, match=r"cut short when it was printed.*1 of 2 rows: 0"):
        training_run("classification", "short", base_model_name=tiny_model).check(single)
