"""Somebody was told of wrong labels, repeated rows and conflicts, and had to correct them in pandas.

No command accepted a suggestion or removed a row. ``clx labels DATA --accept`` and ``clx check DATA
--drop-duplicates`` do, and ``correct_labels`` and ``drop_duplicates`` in Python.
"""

import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.errors import ConfigError, DataFormatError, PluginError
from clx.ml import TrainingRun, training_run
from clx.ml.data import to_frame
from clx_tasks_tokens import TokenClassificationRun

TEXTS = ["an apple", "a cat", "a lemon", "a cow", "a melon"]


@pytest.fixture
def cli(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


def found_in(data, rows):
    """Return what find_label_errors could: position → given, suggested and its confidence."""
    given, suggested, confidence = zip(*rows.values(), strict=True)
    columns = {"given": given, "suggested": suggested, "score": 0.01, "confidence": confidence}
    return pd.DataFrame(columns, index=data.index[list(rows)])


# ---- clx labels --accept -------------------------------------------------------------------------


def test_suggestions_are_accepted_where_they_are_confident(cli, fruit, tiny_model, tmp_path):
    source, target = tmp_path / "rows.csv", tmp_path / "corrected.csv"
    data = fruit.assign(id=[f"{n:03}" for n in range(40)], note=['a "quote",\nand a line'] * 40)
    data.loc[[3, 11], "label"] = "animal"
    data.to_csv(source, index=False)
    base = ["--base-model", tiny_model]
    searched = json.loads(cli("labels", source, *base, "--json").out)["labels"]
    confidences = sorted(row["confidence"] for row in searched)
    assert len(confidences) >= 2
    limit = confidences[len(confidences) // 2]
    sure = {row["row"]: row for row in searched if row["confidence"] >= limit}
    words = ["--accept-above", limit, "-o", target]
    assert cli("labels", source, *base, *words).status == 0, cli.err
    assert cli.lines[0][-1] == "accepted"
    assert f"{len(sure)} labels were replaced" in cli.err

    before, after = to_frame(source), to_frame(target)
    others = ["text", "id", "note"]
    pd.testing.assert_frame_equal(after[others], before[others])
    assert list(after.columns) == [
        *before.columns,
        "original_label",
        "suggested_label",
        "label_score",
    ]
    for row in range(40):
        if row in sure:
            assert after["label"][row] == sure[row]["suggested"]
            assert after["original_label"][row] == before["label"][row] == sure[row]["given"]
        else:
            assert after["label"][row] == before["label"][row]
            assert pd.isna(after["original_label"][row])
    to_look_at = {row["row"] for row in searched} - set(sure)
    assert set(after.index[after["suggested_label"].notna()]) == to_look_at
    # Nothing is overwritten, and the source is as it was.
    assert cli("labels", source, *base, *words).status == 2
    assert "exists" in cli.err
    assert list(to_frame(source)["label"]) == list(data["label"])


def test_what_cannot_be_accepted_is_refused_before_the_search(cli, trained, tmp_path):
    rows = tmp_path / "rows.csv"
    pd.DataFrame({"text": TEXTS, "label": list("ababa")}).to_csv(rows, index=False)
    target = tmp_path / "out.csv"
    assert cli("labels", rows, "--accept").status == 2
    assert "name it with -o FILE" in cli.err
    assert cli("labels", rows, "--accept", "--top", "3", "-o", target).status == 2
    assert "drop it, or --accept" in cli.err
    assert cli("labels", rows, "--accept-above", "2", "-o", target).status == 2
    assert "from 0 to 1, but is 2.0" in cli.err
    assert cli("labels", trained, "--accept").status == 2
    assert "--accept are for labeled data" in cli.err
    spans = tmp_path / "spans.jsonl"
    spans.write_text('{"text": "an apple", "spans": []}\n' * 30)
    words = ["--task", "ner", "--accept", "-o", target]
    assert cli("labels", spans, *words).status == 2
    assert "cannot write labels of the task 'token-classification'" in cli.err
    assert not target.exists()


# ---- correct_labels ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "new", "expected"),
    [
        (["fruit", "animal", "fruit", "fruit", "fruit"], "animal", "animal"),
        ([1, 0, 1, 1, 1], 0, 0),
        ([True, False, True, True, True], False, False),
        ([["fruit"], ["animal"], ["fruit"], ["fruit"], ["fruit"]], "animal", ["animal"]),
        (["['fruit']", "['animal']"] + ["['fruit']"] * 3, "animal", '["animal"]'),
        (
            [{"fruit": 0.8, "animal": 0.2}, "animal", "fruit", {"fruit": 1.0}, "fruit"],
            "animal",
            "animal",
        ),
    ],
    ids=["names", "numbers", "booleans", "lists", "texts of lists", "soft labels"],
)
def test_a_label_keeps_its_form(tiny_model, cells, new, expected):
    data = pd.DataFrame({"text": TEXTS, "label": cells, "id": range(5)}, index=list("vwxyz"))
    run = training_run("classification", "any", base_model_name=tiny_model)
    old = cells[4] if isinstance(cells[4], int) else "fruit"
    corrected = run.correct_labels(data, found_in(data, {3: (old, new, 0.95)}))
    assert corrected.data["label"].tolist() == [*cells[:3], expected, cells[4]]
    assert corrected.data["label"].dtype == data["label"].dtype
    assert corrected.data["original_label"].tolist() == [None, None, None, cells[3], None]
    pd.testing.assert_frame_equal(corrected.data[["text", "id"]], data[["text", "id"]])
    assert data["label"].tolist() == cells
    assert run.label_names is None


def test_booleans_that_the_run_reads_as_words(tiny_model):
    data = pd.DataFrame({"text": TEXTS, "label": [True, False, True, True, True]})
    names = {"label_names": ["False", "True"], "label_type": "str"}
    run = training_run("classification", "words", base_model_name=tiny_model, **names)
    corrected = run.correct_labels(data, found_in(data, {3: ("True", "False", 0.95)})).data
    assert list(map(str, corrected["label"])) == ["True", "False", "True", "False", "True"]


def test_a_category_may_be_new(tiny_model):
    data = pd.DataFrame({"text": TEXTS, "label": pd.Categorical(["a", "b", "a", "a", "b"])})
    run = training_run(
        "classification", "any", label_names=["a", "b", "c"], base_model_name=tiny_model
    )
    corrected = run.correct_labels(data, found_in(data, {0: ("a", "c", 0.95)}))
    assert corrected.data["label"].tolist() == ["c", "b", "a", "a", "b"]
    assert isinstance(corrected.data["label"].dtype, pd.CategoricalDtype)


@pytest.mark.parametrize(
    ("columns", "options", "expected"),
    [
        ({"labels": [["a"], ["b"], [], ["c"], []]}, {}, {"labels": ["a", "c"]}),
        ({"labels": [("a",), ("b",), (), ("c",), ()]}, {}, {"labels": ("a", "c")}),
        ({"labels": ["a", "b|c", "", "c", ""]}, {}, {"labels": "a|c"}),
        ({"labels": ["a", "b, c", "", "c", ""]}, {"label_separator": ", "}, {"labels": "a, c"}),
        ({"labels": ['["a"]', '["b"]', "[]", '["c"]', "[]"]}, {}, {"labels": '["a", "c"]'}),
        ({"labels": [{"a": 0.9}, ["b"], [], {"c": 0.6}, []]}, {}, {"labels": ["a", "c"]}),
        (
            {"labels": [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]]},
            {"label_names": ["a", "b", "c"]},
            {"labels": [1, 0, 1]},
        ),
        (
            {"a": [1, 0, 0, 0, 0], "b": [0, 1, 0, 0, 0], "c": [0, 0, 0, 1, 0]},
            {"label_columns": ["a", "b", "c"]},
            {"a": 1, "b": 0, "c": 1},
        ),
        (
            {"a": list("10000"), "b": list("01000"), "c": list("00010")},
            {"label_columns": ["a", "b", "c"]},
            {"a": "1", "b": "0", "c": "1"},
        ),
    ],
    ids=[
        "lists",
        "tuples",
        "a separator",
        "another separator",
        "json",
        "soft labels",
        "multi-hot",
        "one-hot",
        "one-hot texts",
    ],
)
def test_several_labels_keep_their_form(tiny_model, columns, options, expected):
    data = pd.DataFrame({"text": TEXTS, **columns})
    run = training_run("multilabel", "any", base_model_name=tiny_model, **options)
    corrected = run.correct_labels(data, found_in(data, {3: (["c"], ["a", "c"], 0.95)})).data
    for column, cells in columns.items():
        new = corrected[column].tolist()
        assert new[3] == expected[column]
        assert type(new[3]) is type(expected[column])
        assert [*new[:3], new[4]] == [*data[column].tolist()[:3], cells[4]]
    (old,) = [cells[3] for cells in columns.values()] if len(columns) == 1 else [["c"]]
    assert corrected["original_label"].tolist() == [None, None, None, old, None]


@pytest.mark.parametrize("empty", ["", None])
def test_a_row_of_texts_without_labels_gets_some(tiny_model, empty):
    data = pd.DataFrame({"text": TEXTS, "labels": ["a", "b", empty, "a", "b"]})
    run = training_run("multilabel", "any", base_model_name=tiny_model)
    corrected = run.correct_labels(
        data, found_in(data, {2: ([], ["a", "b"], 0.95), 3: (["a"], [], 0.95)})
    )
    assert corrected.data["labels"].tolist() == ["a", "b", "a|b", "", "b"]
    assert corrected.data["original_label"].tolist() == [None, None, [], "a", None]


def test_names_with_the_separator_are_written_as_json(tiny_model):
    data = pd.DataFrame({"text": TEXTS, "labels": ["a", '["b|c"]', "", "a", ""]})
    run = training_run("multilabel", "any", base_model_name=tiny_model)
    corrected = run.correct_labels(data, found_in(data, {0: (["a"], ["a", "b|c"], 0.95)}))
    assert corrected.data["labels"].tolist() == ['["a", "b|c"]', '["b|c"]', "", "a", ""]


def test_the_users_columns_and_only_confident_suggestions(tiny_model):
    data = pd.DataFrame({"body": TEXTS, "kind": list("ababa"), "label": "mine"}, index=range(9, 14))
    run = training_run("classification", "any", text_column="body", base_model_name=tiny_model)
    found = found_in(
        data,
        {
            0: ("a", "b", 0.95),
            1: ("b", "a", 0.89),
            2: ("a", "a", 0.99),
            3: ("b", "a", 0.4),
        },
    )
    found["score"] = [0.01, 0.1, 0.005, 0.6]
    corrected = run.correct_labels(data, found, label_column="kind")
    assert corrected.data["kind"].tolist() == list("bbaba")
    assert set(corrected.data["label"]) == {"mine"}
    assert corrected.left.index.tolist() == [10, 11, 12]
    assert str(corrected).startswith("1 of 4 suspicious labels were replaced")
    # A suggestion that is less probable than the given label is never accepted.
    more = run.correct_labels(data, found, 0.3, label_column="kind")
    assert more.data["kind"].tolist() == list("baaba")
    # A second correction keeps the first label.
    new = found_in(data, {0: ("b", "a", 0.9), 4: ("a", "b", 0.9)})
    again = run.correct_labels(more.data, new, label_column="kind")
    assert again.data["kind"].tolist() == list("aaabb")
    assert again.data["original_label"].tolist() == ["a", "b", None, None, "a"]


def test_suggestions_for_other_data_are_refused(tiny_model):
    data = pd.DataFrame({"text": TEXTS, "label": list("ababa")})
    run = training_run("classification", "any", base_model_name=tiny_model)
    found = found_in(data, {0: ("a", "b", 0.95)})
    with pytest.raises(DataFormatError, match="position 0 has the label 'b', but had 'a'"):
        run.correct_labels(data.assign(label=list("babab")), found)
    with pytest.raises(DataFormatError, match="found has rows that data does not have: 0"):
        run.correct_labels(data.set_axis(range(5, 10)), found)
    with pytest.raises(DataFormatError, match="found has rows more than once: 0"):
        run.correct_labels(data, pd.concat([found, found]))
    with pytest.raises(DataFormatError, match="the same index label in several rows"):
        run.correct_labels(data.set_axis([0, 0, 1, 2, 3]), found)
    with pytest.raises(DataFormatError, match="lacks the columns score, confidence"):
        run.correct_labels(data, found[["given", "suggested"]])
    with pytest.raises(ConfigError, match="min_confidence must be a number from 0 to 1"):
        run.correct_labels(data, found, 90)


def test_a_task_that_writes_what_it_does_not_read_is_named(tiny_model):
    class Shouting(type(training_run("classification", "any"))):
        name = "shouting"

        def label_cells(self, data, labels):
            return {"label": [str(label).upper() for label in data["label"]]}

    data = pd.DataFrame({"text": TEXTS, "label": ["a", "b", "A", "B", "a"]})
    run = Shouting("any", base_model_name=tiny_model)
    with pytest.raises(PluginError, match=r"label_cells\(\) of the task 'shouting' wrote 'b'"):
        run.correct_labels(data, found_in(data, {0: ("a", "b", 0.95)}))


# ---- clx check --drop-duplicates -----------------------------------------------------------------


@pytest.fixture
def repeated(tmp_path):
    """Five distinct rows, two that repeat one of them, and a conflict."""
    data = pd.DataFrame(
        {
            "text": [*TEXTS, "a cat", "an apple", "a cat", " "],
            "label": [
                "fruit",
                "animal",
                "fruit",
                "animal",
                "fruit",
                "animal",
                "animal",
                "animal",
                "fruit",
            ],
            "id": [f"{n:03}" for n in range(9)],
        }
    )
    path = tmp_path / "rows.csv"
    data.to_csv(path, index=False)
    return data, path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_repeated_rows_go_and_conflicts_are_listed(cli, repeated, tiny_model, tmp_path, suffix):
    data, source = repeated
    target = tmp_path / f"clean.{suffix}"
    words = ["check", source, "--base-model", tiny_model, "--drop-duplicates", "-o", target]
    assert cli(*words).status == 1, cli.err
    assert f"{target}: 2 of 9 rows repeat an earlier row and were left out." in cli.err
    assert "2 rows have the same text as another row but other labels, and stay" in cli.err
    findings, conflicts = cli.out.split("\n\n")
    assert "duplicate_rows" not in findings
    assert "conflicting_labels" in findings
    assert conflicts.splitlines() == [
        "row\ttext\tlabels",
        "0\tan apple\tfruit",
        "5\tan apple\tanimal",
    ]
    clean = to_frame(target)
    assert clean["id"].tolist() == ["000", "001", "002", "003", "004", "006", "008"]
    assert list(clean.columns) == list(data.columns)
    assert to_frame(source)["id"].tolist() == data["id"].tolist()
    assert cli(*words).status == 2
    assert "exists" in cli.err


def test_the_document_of_a_cleaned_file(cli, repeated, tiny_model, tmp_path):
    _, source = repeated
    target = tmp_path / "clean.csv"
    words = ["check", source, "0.3", "--base-model", tiny_model, "--drop-duplicates", "--json"]
    document = json.loads(cli(*words, "-o", target).out)
    assert document["rows"] == {"train_data": 5, "eval_data": 2}
    assert document["distinct"]["dropped"] == 2
    assert document["distinct"]["rows"] == 7
    assert document["distinct"]["conflicts"][1] == {
        "row": 5,
        "text": "an apple",
        "labels": "animal",
    }
    assert cli("check", source, "--drop-duplicates").status == 2
    assert "give both, or none" in cli.err
    assert cli("check", source, "-o", tmp_path / "other.csv").status == 2
    assert cli("check", source, "--drop-duplicates", "-o", source, "--overwrite").status == 2
    assert "cannot be both the source and the target" in cli.err


# ---- drop_duplicates -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "column", "cells", "kept"),
    [
        ("classification", "label", ["x", "y", "x", "y"], [0, 1]),
        (
            "classification",
            "label",
            [{"x": 0.9, "y": 0.1}, "y", {"x": 0.6, "y": 0.4}, "y"],
            [0, 1, 2],
        ),
        ("multilabel", "labels", [["x", "y"], ["y"], ["y", "x"], []], [0, 1, 3]),
        ("multilabel", "labels", ["x|y", "y", "y|x", "y"], [0, 1]),
        (
            "ner",
            "spans",
            [
                [{"start": 0, "end": 2, "label": "x"}],
                [{"start": 0, "end": 2, "label": "y"}],
                [{"start": 3, "end": 5, "label": "x"}],
                [{"start": 0, "end": 2, "label": "y"}],
            ],
            [0, 1, 2],
        ),
        ("mlm", "id", [0, 1, 2, 1], [0, 1, 2]),
    ],
)
def test_only_rows_with_the_same_labels_repeat_each_other(tiny_model, task, column, cells, kept):
    data = pd.DataFrame({"text": ["ab cd", "ef gh"] * 2, column: cells}, index=[7, 7, 8, 9])
    run = training_run(task, "any", base_model_name=tiny_model)
    distinct = run.drop_duplicates(data)
    pd.testing.assert_frame_equal(distinct.data, data.iloc[kept])
    pd.testing.assert_frame_equal(
        distinct.dropped, data.iloc[[n for n in range(4) if n not in kept]]
    )


def test_spans_in_other_places_are_conflicts(tiny_model):
    spans = [[{"start": 0, "end": 2, "label": "x"}], [{"start": 3, "end": 5, "label": "x"}]]
    data = pd.DataFrame({"text": ["ab cd"] * 3, "spans": [*spans, spans[1]]})
    run = training_run("ner", "any", base_model_name=tiny_model)
    assert run.drop_duplicates(data).conflicts.index.tolist() == [0, 1]
    found = {each.kind: each.count for each in run.check(data).findings}
    assert found["duplicate_rows"] == 1
    assert found["conflicting_labels"] == 3


def test_labels_in_columns_that_a_task_does_not_name_are_not_lost(tiny_model):
    class Unnamed(TokenClassificationRun):
        name = "unnamed"
        label_column_names = ()

    spans = [[{"start": 0, "end": 2, "label": "x"}], [{"start": 3, "end": 5, "label": "x"}]]
    data = pd.DataFrame({"text": ["ab cd"] * 3, "spans": [*spans, spans[1]]})
    run = Unnamed(run_name="any", base_model_name=tiny_model)
    assert run.drop_duplicates(data).data.index.tolist() == [0, 1]
    found = {each.kind: each.count for each in run.check(data).findings}
    assert found["duplicate_rows"] == 1


def test_rows_that_do_not_count_stay(tiny_model):
    data = pd.DataFrame(
        {"text": ["a", "b", "a", "a"], "label": ["x", "y", "x", "x"], "trust": [0, 1, 2, 1]}
    )
    run = training_run("classification", "any", weight_column="trust", base_model_name=tiny_model)
    assert run.drop_duplicates(data).data.index.tolist() == [0, 1, 2]


def test_rows_of_numbers_repeat_each_other_only_as_a_whole(tiny_model):
    class Stars(TrainingRun):
        name = "stars"
        pipeline_args = {"task": "text-classification"}

        def validate_data_format(self, data):
            assert "stars" in data

        def load_model(self, model_name=None):
            raise NotImplementedError

    data = pd.DataFrame({"text": ["a", "a", "a"], "stars": [1, 2, 1]})
    assert Stars("any", base_model_name=tiny_model).drop_duplicates(data).data.index.tolist() == [
        0,
        1,
    ]
