"""The check of the data as a user meets it: ``run.check``, and at the start of ``train``."""

import json
import warnings

import pandas as pd
import pytest

from clx.errors import DataFormatError, DataWarning
from clx.ml import training_run
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
    assert "'the cat eats' (row 0, train_data row 0)" in str(warning.message)
    assert kinds(result.data_check) == EXPECTED
    kept = json.loads((run.run_dir / "results.json").read_text())["data_check"]
    assert [finding["kind"] for finding in kept["findings"]] == EXPECTED
    page = (run.run_dir / "report.html").read_text()
    assert all(kind in page for kind in EXPECTED)


def test_strict_data_stops_before_anything_is_written(tiny_model):
    run = make(tiny_model, strict_data=True)
    with pytest.raises(DataFormatError, match="strict_data=True makes an error") as caught:
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
    uncut = make(tiny_model, tokenize_args={"truncation": False}).check(data)
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
