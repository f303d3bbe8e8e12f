"""A user wrote epochs=3, lr=1e-4 and model="…" from habit, and the errors did not say what to write."""

import dataclasses
import inspect

import pytest

from clx.cli.assignments import line_for
from clx.errors import ConfigError, UnknownArgumentError
from clx.ml import TrainingRun, training_run
from clx.ml.task.guesses import ARGUMENT_GUESSES, ENTRIES, OPTION_GUESSES
from clx.ml.task.legacy_names import RENAMED
from clx.ml.task.options import accepted_options


def error_of(**options):
    with pytest.raises(ConfigError) as caught:
        training_run("classification", "guessed", **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("guess", "value", "line"),
    [
        ("epochs", 3, "training_args={'num_train_epochs': 3}"),
        ("num_epochs", 3, "training_args={'num_train_epochs': 3}"),
        ("num_train_epochs", 3, "training_args={'num_train_epochs': 3}"),
        ("lr", 1e-4, "training_args={'learning_rate': 0.0001}"),
        ("learning_rate", 1e-4, "training_args={'learning_rate': 0.0001}"),
        ("batch_size", 8, "training_args={'per_device_train_batch_size': 8}"),
        ("seed", 1, "training_args={'seed': 1}"),
        ("warmup_ratio", 0.1, "training_args={'warmup_steps': 0.1}"),
        ("fp16", True, "training_args={'fp16': True}"),
        ("weight_decay", 0.01, "training_args={'weight_decay': 0.01}"),
        ("max_length", 128, "tokenize_args={'max_length': 128}"),
        ("model", "bert-base-uncased", "base_model_name='bert-base-uncased'"),
        ("model_name", "b", "base_model_name='b'"),
        ("labels", ["a", "b"], "label_names=['a', 'b']"),
        ("id2label", {0: "a", 1: "b"}, "label_names=['a', 'b']"),
        ("output_dir", "out", "run_dir_parent='out'"),
        ("text_col", "message", "text_column='message'"),
        ("eval_df", object(), "run.train(train_data, eval_data)"),
        ("fine_tune", False, "run.train(..., fine_tune=False)"),
        ("time_budget", "5m", "run.train(..., time_budget='5m')"),
    ],
)
def test_a_guessed_option_gets_the_line_to_write(guess, value, line):
    assert f"there is no option {guess!r}; write {line}" in error_of(**{guess: value})


def test_guesses_of_one_option_are_one_line_with_what_was_given():
    line = "training_args={'seed': 1, 'num_train_epochs': 3, 'learning_rate': 0.0001}"
    assert error_of(epochs=3, lr=1e-4, training_args={"seed": 1}).count(line) == 2


def test_what_is_not_needed_and_what_is_misspelled():
    message = error_of(num_labels=3, tokenize_arg={})
    assert "leave it out: the labels come from the data" in message
    assert "did you mean 'tokenize_args'?" in message


@pytest.mark.parametrize(
    ("guess", "value", "line"),
    [
        ("batch_size", 8, "run.predict(texts, batch_size=8)"),
        ("engine", "onnx", "run.predict(texts, backend='onnx')"),
        ("epochs", 3, "run.continue_training(data, training_args={'num_train_epochs': 3})"),
        ("gpu", "cuda:1", "device='cuda:1'"),
        ("threshold", 0.5, "run.set_decisions(min_score=0.5)"),
        ("output_dir", "runs", "load= with the path of the run directory"),
        ("run_dir_parent", "runs", "load= with the path of the run directory"),
        ("eval_df", object(), "run.train(train_data, eval_data)"),
    ],
)
def test_a_guessed_option_of_a_saved_run(trained, guess, value, line):
    with pytest.raises(ConfigError) as caught:
        training_run(load=trained, **{guess: value})
    assert f"no option {guess!r} in the saved run; write {line}" in str(caught.value)


def test_what_a_saved_run_already_says(trained):
    with pytest.raises(ConfigError) as caught:
        training_run(load=trained, model="other", max_length=8, verif=True, num_labels=2)
    for words in (
        "no option 'model' in the saved run; the option base_model_name is '/",
        "no option 'max_length' in the saved run; the option tokenize_args is {} in",
        "no option 'verif' in the saved run; did you mean 'verify'?",
        "no option 'num_labels' in the saved run; leave it out",
        "run.continue_training(data, training_args=...) trains it further",
    ):
        assert words in str(caught.value)


def test_a_guessed_option_of_a_continued_training(trained, fruit):
    with pytest.raises(ConfigError) as caught:
        training_run(load=trained).continue_training(fruit, epochs=3, lr=1e-4)
    line = "training_args={'num_train_epochs': 3, 'learning_rate': 0.0001}"
    assert str(caught.value).count(f"; write {line}") == 2


def test_a_guess_in_training_args():
    message = error_of(training_args={"epochs": 3, "max_length": 128})
    assert "no 'epochs'; write 'num_train_epochs'" in message
    assert "no 'max_length'; write tokenize_args={'max_length': ...}" in message


def test_every_guess_means_something_that_exists():
    from transformers import TrainingArguments

    accepted = accepted_options(type(training_run("classification", "x")))
    fields = {field.name for field in dataclasses.fields(TrainingArguments)}
    assert set(ENTRIES["training_args"].values()) <= fields | set(RENAMED)
    assert set(OPTION_GUESSES.values()) <= accepted | {"run_name"}
    arguments = {
        name
        for part in TrainingRun.__mro__
        for verb in vars(part).values()
        for name in parameters_of(verb)
    }
    assert {name for meant in ARGUMENT_GUESSES.values() for name in meant} <= arguments


def parameters_of(verb):
    return inspect.signature(verb).parameters if inspect.isfunction(verb) else ()


# ---- Methods ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "arguments", "line"),
    [
        ("train", {"eval_df": "e.csv"}, "write eval_data='e.csv'"),
        (
            "train",
            {"epochs": 3},
            "write training_run(task, name, training_args={'num_train_epochs': 3})",
        ),
        (
            "train",
            {"class_weights": "balanced"},
            "training_run(task, name, class_weights='balanced')",
        ),
        ("train", {"overwrite_output_dir": True}, "write overwrite=True"),
        ("train", {"overwrit": True}, "did you mean 'overwrite'?"),
        ("evaluate", {"text_col": "t"}, "write text_column='t'"),
        ("predict", {"bs": 8}, "write batch_size=8"),
        ("predict_labels", {"threshold": 0.5}, "write min_score=0.5"),
        ("predict_frame", {"columns": ["a"]}, "there is no argument 'columns'"),
        ("cross_validate", {"k": 3}, "write folds=3"),
        ("predict_file", {"sep": ";"}, "write separator=';'"),
        ("export", {"format": "onnx"}, "there is no argument 'format'"),
    ],
)
def test_an_argument_that_a_method_lacks(verb, arguments, line):
    run = training_run("classification", "methods")
    needed = {"compare": 2, "export": 0, "predict_file": 2}.get(verb, 1)
    with pytest.raises(UnknownArgumentError) as caught:
        getattr(run, verb)(*["x"] * needed, **arguments)
    assert isinstance(caught.value, TypeError)
    assert line in str(caught.value)


@pytest.mark.filterwarnings("ignore::clx.errors.TruncationWarning")
def test_arguments_of_the_pipeline_reach_it(trained):
    run = training_run(load=trained)
    whole = run.predict(["cat dog apple", "apple"], truncation=True)
    cut = run.predict(["cat dog apple", "apple"], truncation=True, max_length=3)
    assert cut[0] != whole[0]
    assert cut[1] == pytest.approx(whole[1])


def test_signatures_are_those_that_are_written():
    parameters = inspect.signature(TrainingRun.train).parameters
    assert list(parameters)[:4] == ["self", "train_data", "eval_data", "overwrite"]
    assert TrainingRun.evaluate.__doc__.startswith("Return the metrics")
    with pytest.raises(TypeError, match="train_data"):
        training_run("classification", "none").train()


def test_warnings_point_to_the_line_of_the_user(trained):
    run = training_run(load=trained)
    for call in (run.predict, run.predict_labels, run.predict_frame):
        with pytest.warns(UserWarning, match="longer than") as caught:
            call([" ".join(["cat"] * 99)])
        assert {warning.filename for warning in caught} == {__file__}


# ---- Command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guess", "line"),
    [
        ("epochs", "--set training_args.num_train_epochs=VALUE"),
        ("model", "--base-model"),
        ("labels", "--label-names"),
        ("output_dir", "--runs-dir"),
        ("eval_data", "--eval FILE or --eval 0.2"),
        ("max_length", "--set tokenize_args.max_length=VALUE"),
        ("text_col", "--text-column"),
        ("something", None),
    ],
)
def test_the_command_line_has_other_words(guess, line):
    assert line_for(guess) == line
