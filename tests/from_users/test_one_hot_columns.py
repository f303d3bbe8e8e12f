"""A user's table had a column of 0 and 1 for each label: clx wanted lists."""

import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError
from clx.ml import training_run

NAMES = ["toxic", "insult", "threat"]
LISTS = [["toxic", "insult"], ["toxic"], [], ["threat"]] * 4
FORMS = {
    "int": int,
    "bool": bool,
    "float": float,
    "text": str,
    "text of booleans": lambda value: str(bool(value)),
    "json booleans": lambda value: str(bool(value)).lower(),
    "text of floats": lambda value: str(float(value)),
}


def data(form=int, names=NAMES):
    frame = pd.DataFrame({"text": [f"comment {number}" for number in range(len(LISTS))]})
    for column, name in zip(names, NAMES, strict=True):
        frame[column] = [form(int(name in row)) for row in LISTS]
    return frame.assign(length=7)


def make(tiny_model, **options):
    options = {"label_texts": None, "base_model_name": tiny_model, **options}
    return training_run("multilabel", "hot", **options)


def counts(check):
    return check.label_counts["train_data"]


EXPECTED = {"toxic": 8, "insult": 4, "threat": 4}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("option", ["label_columns", "label_names"])
def test_columns_of_all_kinds(tiny_model, form, option):
    run, frame = make(tiny_model, **{option: NAMES}), data(FORMS[form])
    run.validate_data_format(frame)
    run.infer_config(frame)
    assert run.label_names == NAMES
    assert run.row_labels(frame) == LISTS


def test_from_a_csv_file(tiny_model, tmp_path):
    data().to_csv(tmp_path / "comments.csv", index=False)
    assert (
        counts(make(tiny_model, label_columns=NAMES).check(tmp_path / "comments.csv")) == EXPECTED
    )


def test_a_saved_run_knows_its_columns(tiny_model):
    make(tiny_model, label_columns=NAMES, thresholds=0.5).train(data(), fine_tune=False)
    run = training_run(load="hot")
    assert run.config["label_columns"] == run.config["label_names"] == NAMES
    result = run.evaluate(data())
    assert result.examples["given"].tolist() == LISTS
    listed = pd.DataFrame({"text": data()["text"], "labels": LISTS})
    assert run.evaluate(listed).metrics == result.metrics
    assert run.predict_frame(data()).columns.tolist() == ["labels", "scores", "margin", "truncated"]


def test_columns_whose_names_are_numbers(tiny_model):
    found = counts(make(tiny_model, label_columns=[0, 1, 2]).check(data(names=[0, 1, 2])))
    assert found == {"0": 8, "1": 4, "2": 4}


def test_a_column_of_lists_goes_before_columns_that_nobody_named(tiny_model):
    both = data().assign(labels=[["toxic"], ["insult"]] * 8)
    assert counts(make(tiny_model, label_names=NAMES).check(both))["insult"] == 8
    assert counts(make(tiny_model, label_columns=NAMES).check(both)) == EXPECTED


@pytest.mark.parametrize("value", [2, None, "", "yes", 0.5, "a"])
def test_other_values_are_an_error_with_row_and_column(tiny_model, value):
    bad = data(lambda number: number).astype({"insult": object})
    bad.loc[3, "insult"] = value
    with pytest.raises(
        DataFormatError, match=r"column 'insult': not 0 or 1 \(.*in 1 of 16 rows: 3"
    ):
        make(tiny_model, label_columns=NAMES).validate_data_format(bad)


def test_missing_columns_are_named(tiny_model):
    less = data().drop(columns="threat")
    with pytest.raises(DataFormatError, match="no column 'threat'"):
        make(tiny_model, label_columns=NAMES).validate_data_format(less)
    with pytest.raises(
        DataFormatError, match="only some of the names in label_names are columns: toxic, insult"
    ):
        make(tiny_model, label_names=NAMES).validate_data_format(less)
    with pytest.raises(DataFormatError, match=r"no column 'labels'.*(?s:.*)label_columns"):
        make(tiny_model).validate_data_format(data())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_columns": "toxic"}, "label_columns must be a list of names"),
        ({"label_columns": ["toxic"]}, "label_columns needs at least two names"),
        (
            {"label_columns": NAMES, "label_names": ["toxic", "insult", "other"]},
            "must be the same names, but differ in other, threat",
        ),
    ],
)
def test_options_that_cannot_be(tiny_model, options, message):
    with pytest.raises(ConfigError, match=message):
        make(tiny_model, **options)


def test_label_names_give_the_order(tiny_model):
    run = make(tiny_model, label_columns=NAMES, label_names=NAMES[::-1])
    assert list(counts(run.check(data()))) == NAMES[::-1]
