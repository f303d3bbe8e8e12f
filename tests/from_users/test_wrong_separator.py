"""A user's csv had ``a, b`` in a cell: it became a third label, beside ``a`` and ``b``."""

import pandas as pd
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run


def check(tiny_model, labels, task="multilabel", column="labels", **options):
    data = pd.DataFrame({"text": [f"text {n}" for n in range(len(labels))], column: labels})
    return training_run(task, "sep", base_model_name=tiny_model, **options).check(data)


def kinds(found):
    return [finding.kind for finding in found.findings if finding.kind == "joined_labels"]


@pytest.mark.parametrize("between", [", ", ",", ";", "; ", "\n", "\t"])
def test_parts_that_are_labels_of_other_rows_are_an_error(tiny_model, between):
    labels = [f"a{between}b", "a", "b"]
    sign = between.strip(" ")
    data = pd.DataFrame({"text": list("pqr"), "labels": labels})
    with pytest.raises(DataFormatError) as error:
        training_run("multilabel", "sep").validate_data_format(data)
    assert f"pass label_separator={sign!r}" in str(error.value)
    assert "1 of 3 rows: 0" in str(error.value)
    run = training_run("multilabel", "sep", label_separator=sign)
    run.validate_data_format(data)
    assert run.row_labels(data) == [["a", "b"], ["a"], ["b"]]


def test_label_names_say_which_it_is(tiny_model):
    labels = ["a, b", "a", "b"]
    with pytest.raises(DataFormatError, match="pass label_separator=','"):
        check(tiny_model, labels, label_names=["a", "b"])
    counts = check(tiny_model, labels, label_names=["a", "b", "a, b"]).label_counts["train_data"]
    assert counts == {"a": 1, "b": 1, "a, b": 1}


def test_parts_that_are_no_labels_are_a_finding(tiny_model):
    found = check(tiny_model, ["a, b", "b, c", "d"])
    assert kinds(found) == ["joined_labels"]
    assert "2 of 3 labels look like several labels: 'a, b' (1 row), 'b, c' (1 row)" in " ".join(
        str(found).split()
    )
    assert "label_separator=','" in str(found)


def test_a_name_with_a_comma_among_separated_labels_is_a_name(tiny_model):
    assert kinds(check(tiny_model, ["arts, culture|sports", "sports", "arts, culture"])) == []


def test_lists_of_lists_and_the_task_with_one_label_have_the_finding(tiny_model):
    assert kinds(check(tiny_model, [["a, b"], ["a"], ["b"]])) == ["joined_labels"]
    labels = ["a, b", "a", "b", "c"]
    assert kinds(check(tiny_model, labels, "classification", "label")) == ["joined_labels"]
    names = ["arts, culture", "sports", "arts"]
    assert kinds(check(tiny_model, names, "classification", "label")) == []
