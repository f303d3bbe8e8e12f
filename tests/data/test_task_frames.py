"""The user's names for a task's columns: which columns are read, ignored, or refused."""

import pandas as pd
import pytest

from clx.errors import ConfigError, DataFormatError, PluginError
from clx.ml import TrainingRun, training_run
from clx.ml.data.task_frames import column_names, own_text_columns, validated_frame
from clx_tasks_classification import ClassificationRun
from clx_tasks_multilabel import MultiLabelRun
from strangers import Minimal


class Named(Minimal):
    name = "named"
    label_column_names = ("label",)


class Pairs(Minimal):
    name = "pairs"
    text_columns = ("question", "passage")
    label_column_names = ("label",)

    def validate_data_format(self, data):
        pass


class Sentences(Minimal):
    name = "sentences"
    text_columns = ("sentence",)

    def validate_data_format(self, data):
        pass


REVIEWS = pd.DataFrame(
    {"review": ["an apple", "a cat"], "sentiment": ["fruit", "animal"], "id": [7, 8]},
    index=["x", "y"],
)
OWN = {"text_column": "review", "label_column": "sentiment"}


@pytest.mark.parametrize("task", [ClassificationRun, Named])
def test_named_columns_are_read_under_the_tasks_names(task):
    frame = validated_frame(task("names", **OWN), REVIEWS)
    assert frame.to_dict("list") == {
        "text": ["an apple", "a cat"],
        "label": ["fruit", "animal"],
        "id": [7, 8],
    }
    assert frame.index.tolist() == ["x", "y"]
    assert list(REVIEWS) == ["review", "sentiment", "id"]


def test_frame_in_the_tasks_format_is_not_copied():
    frame = REVIEWS.rename(columns={"review": "text", "sentiment": "label"})
    assert validated_frame(ClassificationRun("names"), frame) is frame
    named = ClassificationRun("names", text_column="text", label_column="label")
    assert validated_frame(named, frame) is frame
    with pytest.raises(DataFormatError, match=r"^data: The data cannot be used"):
        validated_frame(named, frame.assign(text=None))


def test_the_named_column_wins_and_the_other_is_left_aside():
    data = REVIEWS.assign(text="not this", label="nor this")
    frame = validated_frame(ClassificationRun("names", **OWN), data)
    assert frame["text"].tolist() == ["an apple", "a cat"]
    assert frame["label"].tolist() == ["fruit", "animal"]
    assert sorted(frame) == ["id", "label", "text"]
    assert data["text"].tolist() == ["not this"] * 2


def test_columns_that_have_each_others_names():
    data = pd.DataFrame({"label": ["an apple", "a cat"], "text": ["fruit", "animal"]})
    run = ClassificationRun("names", text_column="label", label_column="text")
    frame = validated_frame(run, data)
    assert frame["text"].tolist() == ["an apple", "a cat"]
    assert frame["label"].tolist() == ["fruit", "animal"]


@pytest.mark.parametrize("task", [ClassificationRun, MultiLabelRun])
@pytest.mark.parametrize("column", ["tags", "label", "labels"])
def test_a_task_may_have_several_names_for_its_labels(task, column):
    columns = {name: [[f"a {name}"], [f"no {name}"]] for name in ("label", "labels", "tags")}
    data = pd.DataFrame({"text": ["a", "b"], **columns})
    frame = validated_frame(task("names", label_column=column), data)
    (name,) = {"label", "labels"} & set(frame)
    assert frame[name].tolist() == data[column].tolist()


def test_the_call_wins_over_the_run():
    run = ClassificationRun("names", **OWN)
    data = REVIEWS.rename(columns={"review": "body", "sentiment": "kind"})
    frame = validated_frame(run, data, columns=column_names(run, "body", "kind"))
    assert frame["text"].tolist() == ["an apple", "a cat"]
    assert frame["label"].tolist() == ["fruit", "animal"]
    # "text" means the run's own column.
    assert column_names(run, "text") == column_names(run) == column_names(run, "review")
    assert own_text_columns(run) == ("review",)


def test_text_means_the_column_of_the_task_if_the_run_names_none():
    run = Sentences("names")
    data = pd.DataFrame({"sentence": ["a"], "body": ["b"]})
    for column in ("text", "sentence"):
        assert validated_frame(run, data, columns=column_names(run, column)) is data
    body = validated_frame(run, data, columns=column_names(run, "body"))
    assert body.to_dict("list") == {"sentence": ["b"]}


def test_missing_columns_are_named_as_the_user_named_them():
    run = ClassificationRun("names", text_column="reviews", label_column="sentimant")
    with pytest.raises(DataFormatError) as error:
        validated_frame(run, REVIEWS, "train_data")
    said = str(error.value)
    assert "train_data lacks a column that text_column or label_column names" in said
    assert (
        "no column 'reviews', to be read as 'text'; the columns are review, sentiment, id" in said
    )
    assert "did you mean 'review'?" in said
    assert "did you mean 'sentiment'?" in said


def test_what_the_task_refuses_is_told_with_the_users_names():
    bad = REVIEWS.assign(review=["an apple", None])
    with pytest.raises(DataFormatError) as error:
        validated_frame(ClassificationRun("names", **OWN), bad, "eval_data")
    assert str(error.value).startswith(
        "eval_data, read with 'review' as 'text' and 'sentiment' as 'label': "
    )
    with pytest.raises(
        DataFormatError, match=r"^eval_data, read with 'review' as 'text': columns are"
    ):
        validated_frame(Named("names", text_column="review"), bad, "eval_data")


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        (ClassificationRun, {"text_column": ""}, "text_column must be the name of a column"),
        (ClassificationRun, {"text_column": ["a"]}, "text_column must be the name of a column"),
        (ClassificationRun, {"label_column": 1}, "label_column must be the name of a column"),
        (ClassificationRun, {"label_column": "text"}, "'text', which is a column of texts"),
        (
            ClassificationRun,
            {"text_column": "a", "label_column": "a"},
            "label_column is 'a', which is a column of texts",
        ),
        (
            MultiLabelRun,
            {"label_column": "a", "label_columns": ["b", "c"]},
            "label_column and label_columns are both set",
        ),
        (Pairs, {"text_column": "a"}, "text_column is only for tasks that read one column"),
        (Minimal, {"label_column": "a"}, "'minimal' does not say which column holds its labels"),
    ],
)
def test_names_that_a_run_cannot_have(task, options, said):
    with pytest.raises(ConfigError) as error:
        task("names", **options)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("task", "call", "said"),
    [
        (ClassificationRun, ("body", "body"), "'body', which is a column of texts"),
        (Pairs, ("body", None), "text_column is only for tasks that read one column"),
        (Pairs, ("text", "passage"), "'passage', which is a column of texts"),
        (Minimal, ("text", "kind"), "does not say which column holds its labels"),
    ],
)
def test_names_that_a_call_cannot_have(task, call, said):
    with pytest.raises(ConfigError) as error:
        column_names(task("names"), *call)
    assert said in str(error.value)


def test_a_task_of_two_texts_may_name_its_labels():
    data = pd.DataFrame({"question": ["q"], "passage": ["p"], "kind": ["fruit"]})
    frame = validated_frame(Pairs("names", label_column="kind"), data)
    assert list(frame) == ["question", "passage", "label"]


@pytest.mark.parametrize("value", ["label", 5, (1,)])
def test_label_column_names_of_a_class_are_checked(value):
    class Wrong(Minimal):
        name = "wrong"
        label_column_names = value

    with pytest.raises(PluginError, match="label_column_names must be a tuple of column names"):
        Wrong("names")


def test_the_config_keeps_the_names(tmp_path):
    run = training_run("classification", "names", **OWN)
    assert {name: run.config[name] for name in OWN} == OWN
    assert (TrainingRun.label_column_names, Minimal("m").text_column) == ((), None)
