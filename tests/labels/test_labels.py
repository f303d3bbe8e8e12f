"""Label spaces: order, names, ids, kinds, and what cannot be a label."""

import numpy as np
import pandas as pd
import pytest

from clx.ml.labels import (
    blank_twins,
    column_kind,
    infer_label_names,
    label_ids,
    label_kind,
    label_maps,
    label_names_problems,
    label_problems,
    original,
)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([10, 2, 1, 2], ["1", "2", "10"]),
        ([3, -1, 0], ["-1", "0", "3"]),
        ([True, False, True], ["False", "True"]),
        (["b", "a", "B", "b"], ["B", "a", "b"]),
        (["10", "2", "1"], ["1", "2", "10"]),
        (["-10", "2", "-1"], ["-10", "-1", "2"]),
        (["02", "2", "1"], ["1", "02", "2"]),
        (["10", "2", "x"], ["10", "2", "x"]),
        (["-", "2", "10"], ["-", "10", "2"]),
        (["²", "1"], ["1", "²"]),
        (["é", "z", "日本"], ["z", "é", "日本"]),
    ],
)
def test_inferred_names_are_sorted_by_value(labels, names):
    for kind in (list, pd.Series, np.array):
        assert infer_label_names(kind(labels)) == names
        assert infer_label_names(kind(labels[::-1])) == names
    assert all(type(name) is str for name in infer_label_names(np.array(labels)))


def test_category_columns_give_the_labels_that_occur_by_value():
    names = pd.Series(["b", "a", "b"]).astype(pd.CategoricalDtype(["z", "b", "a"]))
    assert infer_label_names(names) == ["a", "b"]
    assert column_kind(names) == "str"
    numbers = pd.Series([10, 2, 10], dtype="category")
    assert infer_label_names(numbers) == ["2", "10"]
    assert column_kind(numbers) == "int"


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("a", "str"),
        ("", "str"),
        (np.str_("a"), "str"),
        (1, "int"),
        (np.int64(1), "int"),
        (np.uint8(1), "int"),
        (True, "bool"),
        (np.bool_(False), "bool"),
        (1.0, None),
        (np.float32(1), None),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.Timestamp("2020-01-01"), None),
        (["a"], None),
        (b"a", None),
    ],
)
def test_label_kind(label, kind):
    assert label_kind(label) == kind


@pytest.mark.parametrize("label", ["a", "007", 5, -3, True, False])
def test_original_type_comes_back(label):
    back = original(str(label), label_kind(label))
    assert back == label
    assert type(back) is type(label)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int8", "bool", "boolean", "str", "object"])
def test_column_kind_of_every_dtype(dtype):
    kind = "int" if "int" in dtype.lower() else "bool" if "bool" in dtype else "str"
    values = [1, 0] if kind != "str" else ["a", "b"]
    column = pd.Series(values).astype(dtype)
    assert column_kind(column) == kind
    assert label_problems(pd.DataFrame({"label": column}), "label") == []


def test_ids_are_positions():
    names = ["zebra", "ant", "1", "True"]
    assert label_ids(["ant", "zebra", 1, True, np.int64(1)], names) == [1, 0, 2, 3, 2]


def test_maps_are_what_from_pretrained_takes():
    assert label_maps(["b", "a"]) == {
        "num_labels": 2,
        "id2label": {0: "b", 1: "a"},
        "label2id": {"b": 0, "a": 1},
    }


# ---- label_names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [["a", "b"], ("a", "b"), [2, 10], [True, False], np.array(["a", "b"]), pd.Series(["a", "b"])],
)
def test_good_label_names(names):
    assert label_names_problems(names) == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("ab", "must be a list"),
        (b"ab", "must be a list"),
        (5, "must be a list"),
        ({"a": 0, "b": 1}, "must be a list"),
        ({"a", "b"}, "must be a list"),
        (frozenset("ab"), "must be a list"),
        ([], "at least two"),
        (["a"], "at least two"),
        (["a", "b", "a"], "has 'a' more than once"),
        ([1, "1"], "has '1' more than once"),
        (["a", None], "must be str, int or bool, but has None"),
        (["a", 1.5], "must be str, int or bool, but has 1.5"),
        (["a", float("nan")], "must be str, int or bool, but has nan"),
        (["a", ["b"]], "must be str, int or bool"),
        (["a", ""], "blank name ''"),
        (["a", " "], "blank name ' '"),
        (["pos", "pos "], "'pos' and 'pos ' differ only in blanks"),
        (["\tpos", "pos"], r"'\tpos' and 'pos' differ only in blanks"),
        (["a", "b\ud800"], "not Unicode text"),
    ],
)
def test_wrong_label_names(names, said):
    assert said in " ".join(label_names_problems(names))


def test_all_problems_of_label_names_at_once():
    problems = label_names_problems(["a", "a", " ", "x", "x "])
    assert len(problems) == 3


def test_blank_twins_lists_each_pair():
    assert blank_twins(["a", "b", "a"]) == []
    assert len(blank_twins(["a", "a ", " a", "b", "b\n"])) == 3


# ---- a column of labels ------------------------------------------------------------------------------


def problems(labels, names=None, index=None):
    frame = pd.DataFrame({"label": pd.Series(labels, dtype=object)})
    if index is not None:
        frame.index = index
    return label_problems(frame, "label", names)


@pytest.mark.parametrize("names", [None, ["a", "b"]])
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_labels_are_named_by_row(names, missing):
    (problem,) = problems(["a", missing, "b"], names, index=["x", "y", "z"])
    assert problem == "column 'label': the label is missing in 1 of 3 rows: 'y'"


@pytest.mark.parametrize("names", [None, ["1", "2"]])
@pytest.mark.parametrize("label", [1.0, 1.5, [1.0], pd.Timestamp("2020-01-01"), b"1"])
def test_what_is_no_label(names, label):
    (problem,) = problems([1, 2, label], names)
    assert "must be a str, int or bool" in problem
    assert problem.endswith("in 1 of 3 rows: 2")


def test_integers_that_a_missing_one_made_floats_are_refused_with_the_way_out():
    frame = pd.DataFrame({"label": [0, 1, None]})
    said = " ".join(label_problems(frame, "label"))
    assert "the label is missing in 1 of 3 rows: 2" in said
    assert ".astype(int)" in said


@pytest.mark.parametrize("names", [None, ["1", "True", "a"]])
@pytest.mark.parametrize("labels", [["a", 1], [1, True], ["a", True]])
def test_mixed_kinds(labels, names):
    (problem,) = problems(labels, names)
    assert "mixes labels of the types" in problem


@pytest.mark.parametrize("labels", [["a", "a"], [1], [True, True]])
def test_a_single_label_is_no_label_space(labels):
    (problem,) = problems(labels)
    assert "a model needs at least two" in problem
    assert "label_names=[...]" in problem
    assert problems(labels, [str(labels[0]), "other"]) == []


def test_labels_that_differ_by_blanks_only():
    (problem,) = problems(["pos", "neg", "pos "])
    assert "'pos' and 'pos ' differ only in blanks" in problem


def test_blank_and_broken_labels_of_the_data():
    assert "blank" in problems(["a", ""])[0]
    assert "not Unicode text" in problems(["a", "b\ud800"])[0]


def test_unknown_labels_have_rows_closest_name_and_blanks():
    labels = ["fruit", "fruits", "animal ", "fruits", "zzz"]
    found = problems(labels, ["fruit", "animal"], index=range(10, 15))
    assert len(found) == 3
    assert "the label 'fruits' is not in label_names ('fruit', 'animal')" in found[0]
    assert "did you mean 'fruit'?" in found[0]
    assert found[0].endswith("in 2 of 5 rows: 11, 13")
    assert "'animal ' is not in label_names" in found[1]
    assert "differs from 'animal' only in blanks" in found[1]
    assert "did you mean" not in found[2]
    assert found[2].endswith("in 1 of 5 rows: 14")


def test_missing_and_unknown_labels_are_told_together():
    found = problems(["fruit", None, "furit", 2.5], ["fruit", "animal"])
    assert len(found) == 3
    assert "did you mean 'fruit'?" in found[2]


def test_rows_are_at_most_five_and_values_cut_short():
    (problem,) = problems(["x" * 500] * 8 + ["a"], ["a", "b"])
    assert problem.endswith("in 8 of 9 rows: 0, 1, 2, 3, 4 and 3 more")
    assert len(problem) < 300
