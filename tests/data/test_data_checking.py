"""The check of the data in ``run.check`` and at the start of ``train``."""

import json
import warnings

import pandas as pd
import pytest

from clx.errors import DataFormatError, DataWarning, TruncationWarning
from clx.ml import TrainingRun, training_run
from clx.ml.results.mistakes import confident_mistakes
from conftest import fruit_frame


def make(tiny_model, name="checked", **options):
    options = {"training_args": {"max_steps": 1, "disable_tqdm": True}, **options}
    return training_run("classification", name, base_model_name=tiny_model, **options)


def leaky():
    train = pd.DataFrame(
        {
            "text": ["the cat eats", "the dog eats", "a melon", " ", "a pear", "a pear"] * 6,
            "label": ["animal", "animal", "fruit", "fruit", "fruit", "animal"] * 6,
        }
    )
    return train, pd.DataFrame({"text": ["the cat eats", "a lemon"], "label": ["animal", "fruit"]})


def kinds(check):
    return [finding.kind for finding in check.findings]


EXPECTED = ["empty_texts", "conflicting_labels", "leaked_texts", "duplicate_rows"]


def test_check_finds_and_changes_nothing(tiny_model):
    train, evaluated = leaky()
    run = make(tiny_model)
    before = dict(run.config)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check = run.check(train, evaluated)
    assert kinds(check) == EXPECTED
    assert check.label_counts == {
        "train_data": {"animal": 18, "fruit": 18},
        "eval_data": {"animal": 1, "fruit": 1},
    }
    assert dict(run.config) == before
    assert not run.run_dir.exists()


def test_train_warns_once_keeps_it_in_results_and_shows_it(tiny_model):
    run = make(tiny_model)
    with pytest.warns(DataWarning) as caught:
        result = run.train(*leaky())
    (warning,) = [w for w in caught if issubclass(w.category, DataWarning)]
    assert warning.filename == __file__
    said = " ".join(str(warning.message).split())
    assert "'the cat eats' (row 0, train_data row 0)" in said
    assert kinds(result.data_check) == EXPECTED
    kept = json.loads((run.run_dir / "results.json").read_text())["data_check"]
    assert [finding["kind"] for finding in kept["findings"]] == EXPECTED
    page = (run.run_dir / "report.html").read_text()
    assert all(kind in page for kind in EXPECTED)


def test_strict_data_stops_before_anything_is_written(tiny_model):
    run = make(tiny_model, strict_data=True)
    with pytest.raises(DataFormatError, match="which are errors with strict_data=True") as caught:
        run.train(*leaky())
    assert "the text is also in train_data in 1 of 2 rows" in str(caught.value)
    assert not run.run_dir.exists()
    assert training_run("classification", "x", strict_data=True).config["strict_data"] is True


def test_eval_data_equal_to_the_training_data_goes_through(tiny_model):
    data = fruit_frame(6)
    with pytest.warns(DataWarning, match="also in train_data in 6 of 6 rows"):
        assert make(tiny_model).train(data, data).rows == {"train": 6, "eval": 6}


def test_lengths_are_those_of_the_model_special_tokens_included(tiny_model):
    data = pd.DataFrame(
        {"text": ["a cat", "a cat eats one big red melon"] * 5, "label": ["animal", "fruit"] * 5}
    )
    check = make(tiny_model, tokenize_args={"max_length": 6}).check(data)
    (cut,) = [finding for finding in check.findings if finding.kind == "truncated_texts"]
    assert cut.count == 5
    assert "row 1 (9 tokens)" in cut.message
    # 5 texts of 9 tokens lose 3 each, of 65 tokens in all.
    assert "loses 23.1 % of all tokens" in cut.message
    uncut = make(tiny_model, tokenize_args={"max_length": 9}).check(data)
    assert "truncated_texts" not in kinds(uncut)


def test_a_trained_run_checks_other_data_and_predicts_as_before(trained):
    run = training_run(load=trained)
    before = run.predict("a cat")
    check = run.check(pd.DataFrame({"text": ["x", "y"], "label": ["one", "two"]}))
    assert check.label_counts["train_data"] == {"one": 1, "two": 1}
    assert run.config["label_names"] == ["animal", "fruit"]
    assert run.predict("a cat") == before


def test_bad_data_is_an_error_of_check_too(tiny_model):
    with pytest.raises(DataFormatError, match="no column 'label'"):
        make(tiny_model).check(pd.DataFrame({"text": ["a"]}))


class Notes(TrainingRun):
    """A task with a text column that is not called text."""

    name = "notes"
    text_columns = ("note",)
    pipeline_args = {"task": "text-classification"}

    def validate_data_format(self, data):
        assert "label" in data

    def load_model(self, model_name=None):
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(model_name, **self.model_args)

    def tokenize(self, examples):
        labels = [int(label == "animal") for label in examples["label"]]
        return {**super().tokenize(examples), "labels": labels}

    def row_labels(self, data):
        return list(data["label"])

    def evaluation_rows(self, eval_pred):
        said = eval_pred.predictions.argmax(axis=-1) == 1
        rows = {"given": eval_pred.label_ids == 1, "predicted": said, "score": 0.5}
        return pd.DataFrame({**rows, "given_score": 0.5, "correct": rows["given"] == said})


class Pairs(Notes):
    name = "pairs-of-notes"
    text_columns = ("title", "note")


def of(task, tiny_model, **options):
    options = {"training_args": {"max_steps": 1, "disable_tqdm": True}, **options}
    return task("checked", base_model_name=tiny_model, **options)


def test_texts_in_a_column_of_another_name(tiny_model):
    train, evaluated = (frame.rename(columns={"text": "note"}) for frame in leaky())
    assert kinds(of(Notes, tiny_model).check(train, evaluated)) == EXPECTED
    long = pd.DataFrame({"note": ["a cat eats one big red melon", "a cat"], "label": ["x", "y"]})
    check = of(Notes, tiny_model, tokenize_args={"max_length": 6}).check(long)
    (cut,) = [finding for finding in check.findings if finding.kind == "truncated_texts"]
    assert cut.count == 1


def test_rows_of_two_texts_are_the_same_when_both_are(tiny_model):
    rows = [("a cat", "it eats", "animal"), ("a cat", "it barks", "animal"), ("", "a", "fruit")]
    train = pd.DataFrame(rows, columns=["title", "note", "label"], index=["one", "two", "three"])
    other = pd.DataFrame(
        [("it eats", "a cat", "animal"), ("a cat", "it barks", "fruit")], columns=train.columns
    )
    check = of(Pairs, tiny_model).check(train, other)
    assert kinds(check) == ["conflicting_labels", "leaked_texts", "rare_labels"]
    leaked = check.findings[1]
    assert leaked.count == 1
    assert "('a cat', 'it barks') (row 1, train_data row 'two')" in leaked.message
    repeated = of(Pairs, tiny_model).check(pd.concat([train, train]))
    assert "duplicate_rows" in kinds(repeated)
    assert "empty_texts" not in kinds(repeated)


@pytest.mark.parametrize("note", [["a", "list"], None])
def test_rows_without_texts_are_counted(tiny_model, note):
    rows = {"label": ["animal", "fruit"]}
    if note is not None:
        rows["note"] = [note, note]

    class Lists(Notes):
        name = "lists"

        def tokenize(self, examples):
            return self.tokenizer(examples["label"])

    check = of(Lists, tiny_model).check(pd.DataFrame(rows))
    assert check.rows == {"train_data": 2}
    assert check.ok


def test_evaluated_rows_and_the_report_have_the_texts(tiny_model):
    data = pd.DataFrame(
        {
            "title": ["a cat", "a pear"],
            "note": ["it eats " * 500, "red"],
            "label": ["animal", "fruit"],
        },
        index=["same", "same"],
    )
    run = of(Pairs, tiny_model)
    leak = r"\('a pear', 'red'\) \(row 'same', train_data row 'same'"
    cut = "1 of 2 texts in (train|eval)_data are longer"
    with pytest.warns(TruncationWarning, match=cut), pytest.warns(DataWarning, match=leak):
        result = run.train(data, data)
    examples = result.evaluation.examples
    assert list(examples.columns[:3]) == ["title", "note", "given"]
    assert examples["title"].tolist() == ["a cat", "a pear"]
    wrong = confident_mistakes(examples.assign(correct=False))
    assert sorted(map(len, wrong["note"])) == [3, 2000]
    assert list(wrong.columns[:3]) == ["title", "note", "label"]


def test_rows_with_wrong_labels_have_their_texts(tiny_model):
    rows = [(f"a cat {i}", f"note {i}", ["animal", "fruit"][i % 2]) for i in range(40)]
    data = pd.DataFrame(rows, columns=["title", "note", "label"])
    found = of(Pairs, tiny_model).find_label_errors(data, top=3)
    assert list(found.columns) == ["title", "note", "given", "suggested", "score", "confidence"]
    assert found["note"].tolist() == data["note"].loc[found.index].tolist()
