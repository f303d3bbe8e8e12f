"""A user had rows such as ``[1, 0, 1]`` in ``labels``: clx read them as two labels, ``0`` and ``1``."""

import pandas as pd
import pytest

from clx.errors import DataFormatError
from clx.ml import training_run
from clx.ml.label_lists import label_list_problems, label_lists

NAMES = ["animal", "fruit", "red"]
ROWS = [[0, 1, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]] * 5
LISTS = [["fruit", "red"], ["fruit"], ["animal"], []] * 5
FORMS = {
    "int": lambda row: row,
    "bool": lambda row: [bool(value) for value in row],
    "float": lambda row: [float(value) for value in row],
    "json": str,
    "printed": lambda row: str(row).replace(",", ""),
    "printed floats": lambda row: str([float(v) for v in row]).replace(",", "").replace(".0", "."),
    "separated": lambda row: "|".join(map(str, row)),
}


def data(rows=ROWS):
    texts = [f"the {word} is {number}" for number, word in enumerate(["apple", "cat"] * 10)]
    return pd.DataFrame({"text": texts[: len(rows)], "labels": pd.Series(rows, dtype=object)})


@pytest.fixture(scope="module")
def run(tiny_model, tmp_path_factory):
    run = training_run(
        "multilabel",
        "hot",
        run_dir_parent=tmp_path_factory.mktemp("hot"),
        base_model_name=tiny_model,
        label_names=NAMES,
        label_texts=None,
    )
    run.train(data(), data(), fine_tune=False)
    return run


@pytest.mark.parametrize("form", FORMS)
def test_with_names_they_are_names(form):
    frame = data([FORMS[form](row) for row in ROWS])
    assert label_list_problems(frame, "labels", NAMES) == []
    assert label_lists(frame["labels"], label_names=NAMES) == LISTS


@pytest.mark.parametrize("form", FORMS)
def test_without_names_they_are_an_error_that_says_so(form):
    frame = data([FORMS[form](row) for row in ROWS])
    unnamed = training_run("multilabel", "none")
    for method in (unnamed.train, unnamed.check, unnamed.find_label_errors):
        with pytest.raises(
            DataFormatError, match=r"multi-hot rows.*label_names=\[\.\.\.\] with 3 names"
        ):
            method(frame)


@pytest.mark.slow
def test_every_method_reads_them(run):
    named = data(LISTS)
    assert run.results["data_check"]["label_counts"]["train_data"] == {
        "animal": 5,
        "fruit": 10,
        "red": 5,
    }
    assert run.evaluate(data()).metrics == run.evaluate(named).metrics
    assert run.evaluate(data()).examples["given"].tolist() == LISTS
    assert run.compare(run, data()).metrics.equals(run.compare(run, named).metrics)
    first, second = (run.find_label_errors(frame, folds=2) for frame in (data(), named))
    assert first.round(4).to_dict("list") == second.round(4).to_dict("list")
    # One row, and rows without any label, are multi-hot rows too.
    assert run.evaluate(data([[0, 0, 1]])).examples["given"].tolist() == [["red"]]


@pytest.mark.parametrize(
    ("rows", "names", "message"),
    [
        ([[1, 0, 1], [0, 1, 0]], ["a", "b"], "multi-hot rows of 3 values.*label_names has 2 names"),
        ([[1, 0, 1], ["a"]], ["a", "b", "c"], r"mixes multi-hot rows of 3 values.*\['a'\]"),
        ([[0, 0], [1, 0]], ["0", "1"], "give them names other than 0 and 1"),
        ([[1.0], [0.0]], None, "a label must be a str, int or bool"),
        ([[1.0, 0.5], [0.0, 1.0]], ["a", "b"], "a label must be a str, int or bool"),
    ],
)
def test_rows_that_fit_no_names(rows, names, message):
    (problem,) = label_list_problems(data(rows), "labels", names)
    assert pd.Series([problem]).str.contains(message).all()


@pytest.mark.parametrize(
    ("rows", "names", "lists"),
    [
        # Numbers that are names of labels are lists of labels where they can only be that.
        ([[0, 1], [1]], ["0", "1"], [["0", "1"], ["1"]]),
        ([[0, 1]], ["0", "1", "2"], [["0", "1"]]),
        ([[0, 1], [1, 0]], ["0", "1"], [["0", "1"], ["1", "0"]]),
        ([[0, 1, 1], [1, 0, 0]], ["0", "1", "2"], [["1", "2"], ["0"]]),
        ([[1], [0]], None, [["1"], ["0"]]),
    ],
)
def test_labels_that_are_called_0_and_1(rows, names, lists):
    assert label_list_problems(data(rows), "labels", names) == []
    assert label_lists(rows, label_names=names) == lists
