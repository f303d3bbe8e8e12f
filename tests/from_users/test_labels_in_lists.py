"""A user's labels were ``['fruit']`` or ``{"choices": [...]}``: each spelling became a label name."""

import json

import numpy as np
import pandas as pd
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.labels import infer_label_names, label_ids, label_problems, label_values

FORMS = {
    "list": lambda label: [label],
    "tuple": lambda label: (label,),
    "set": lambda label: {label},
    "array": lambda label: np.array([label]),
    "choices": lambda label: {"choices": [label]},
    "one choice": lambda label: {"choices": label},
    "printed list": lambda label: repr([label]),
    "printed tuple": lambda label: repr((label,)),
    "printed set": lambda label: repr({label}),
    "printed array": lambda label: str(np.array([label])),
    "json": lambda label: json.dumps([label]),
    "json choices": lambda label: json.dumps({"choices": [label]}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("column", ["label", "labels"])
def test_a_list_of_one_label_is_that_label(tiny_model, fruit, form, column):
    cells = pd.Series([FORMS[form](label) for label in fruit["label"]], dtype=object)
    data = fruit.drop(columns="label").assign(**{column: cells})
    run = training_run("classification", "lists", base_model_name=tiny_model)
    run.validate_data_format(data)
    run.infer_config(data)
    assert run.label_names == ["animal", "fruit"]
    assert run.label_type == "str"
    assert run.row_labels(data) == fruit["label"].tolist()
    run.validate_data_format(data)


def test_a_trained_run_reads_them_too(trained, fruit):
    run = training_run(load=trained)
    listed = fruit.assign(label=[[label] for label in fruit["label"]])
    assert run.evaluate(listed).metrics == run.evaluate(fruit).metrics


def test_lists_of_other_lengths_are_an_error_with_the_rows(tiny_model):
    labels = [["fruit"], ["fruit", "red"], [], "['red', 'fruit']", "red"]
    data = pd.DataFrame({"text": list("abcde"), "label": pd.Series(labels, dtype=object)})
    run = training_run("classification", "several", base_model_name=tiny_model)
    message = r"not exactly one label \(the task multi-label-classification.*3 of 5 rows: 1, 2, 3"
    with pytest.raises(DataFormatError, match=message):
        run.check(data)


@pytest.mark.parametrize("label", ["(other)", "[CLS]", "{x}", "[a, b]", "(1)", "[", "..."])
def test_other_names_in_brackets_stay_names(label):
    assert label_values([label]) == [label]


def test_a_name_of_the_label_space_is_never_parsed():
    names = ["['a']", "[1]"]
    assert label_values(names, names) == names
    assert label_problems(pd.DataFrame({"label": names}), "label", names) == []
    assert label_ids(names, names) == [0, 1]
    assert label_ids(["['b']", ["c"]], ["b", "c"]) == [0, 1]


def test_authors_who_do_not_know_of_lists_get_the_labels():
    assert infer_label_names([["b"], ("a",), "c"]) == ["a", "b", "c"]
