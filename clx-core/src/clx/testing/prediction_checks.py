"""Checks of what a user gets from a trained run."""

from __future__ import annotations

import json
from typing import Any

from clx.errors import ClxError
from clx.ml.task.names import attribute_name
from clx.testing.fresh import plain
from clx.testing.model_checks import _raised
from clx.testing.results import CheckWarningError, check
from clx.testing.subject import Subject, fail, quiet, same


def _predicted(subject: Subject, inputs: Any, **call: Any) -> list[Any]:
    try:
        return subject.predict(subject.opened(), inputs, **call)
    except Exception as error:
        raise fail(f"run.predict(…): {_raised(error)}") from error


@check(
    "There is a prediction for each input, in order, and equal whatever the batches.",
    "Predictions are put beside the wrong texts, or change with the size of a batch.",
    "post_process_prediction",
    trains=True,
)
def order_and_batches(subject: Subject) -> None:
    """Predict forwards, backwards, with repetitions, and in batches of several sizes."""
    inputs = subject.inputs
    expected = _predicted(subject, inputs)
    if len(expected) != len(inputs):
        raise fail(f"{len(expected)} predictions for {len(inputs)} inputs")
    mixed = [*range(len(inputs))[::-1], 0, 0]
    for what, order, size in (
        ("in batches of 1", range(len(inputs)), 1),
        ("in batches of 3", range(len(inputs)), 3),
        ("backwards and with repetitions", mixed, None),
    ):
        found = _predicted(subject, [inputs[i] for i in order], batch_size=size)
        for row, prediction in zip(order, found, strict=True):
            if not same(expected[row], prediction):
                raise fail(
                    f"input {row} is {expected[row]!r}, and {prediction!r} when predicted {what}"
                )


@check(
    "One run can be asked again and again.",
    "The second call of a service answers something else than the first.",
    "post_process_prediction",
    trains=True,
)
def asked_again(subject: Subject) -> None:
    """Ask one run twice, with something else in between."""
    run = subject.opened()
    try:
        first = subject.predict(run, subject.inputs)
        subject.predict(run, subject.inputs[:1])
        second = subject.predict(run, subject.inputs)
    except Exception as error:
        raise fail(f"run.predict(…): {_raised(error)}") from error
    if not same(first, second):
        raise fail(f"the first call gives {first[0]!r}, a later one {second[0]!r}")


@check(
    "Any text has a prediction: none, blank, long, and in any script.",
    "One odd row ends the prediction of a million others.",
    "post_process_prediction pipeline_args predict_args",
    trains=True,
)
def odd_texts(subject: Subject) -> None:
    """Predict some that are often forgotten."""
    if _predicted(subject, []) != []:
        raise fail("run.predict([]) is not []")
    for text in ("", " \t\n", "ünïcödé 漢字 🙂", "\u0000", "x" * 2000, "a few words " * 300):
        found = _predicted(subject, [subject.input_of(text)])
        if len(found) != 1:
            raise fail(f"{len(found)} predictions for the text {text[:20]!r}")


@check(
    "Predictions are plain values that JSON has.",
    "A service cannot send them, and predict_file cannot write them.",
    "post_process_prediction prediction_row",
    trains=True,
)
def json_values(subject: Subject) -> None:
    """Write them as JSON and read them again."""
    predictions, run = _predicted(subject, subject.inputs), subject.opened()
    for prediction in predictions:
        _through_json("a prediction", prediction)
    try:
        rows = [run.prediction_row(each, all_scores=True, min_score=None) for each in predictions]
    except Exception as error:
        raise fail(f"run.predict_frame(…): {_raised(error)}") from error
    for row in rows:
        if not isinstance(row, dict) or not all(isinstance(key, str) for key in row):
            raise fail(f"prediction_row() returns {row!r}, which is no dict with names as keys")
        _through_json("a row of predict_frame", row)


def _through_json(what: str, value: Any) -> None:
    try:
        back = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise fail(f"json.dumps of {what}, {value!r}: {error}") from error
    if not same(_lists(value), back, 0):
        raise fail(f"{what} is {value!r}, and {back!r} after JSON")


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


@check(
    "predict_frame gives a row for each row, on the same index.",
    "The predictions cannot be put beside the data.",
    "prediction_row text_columns",
    trains=True,
)
def frames(subject: Subject) -> None:
    """Predict the sample as a frame, with an index of its own."""
    data = subject.sample[subject.text_columns]
    data.index = [f"row {number}" for number in range(len(data))]
    try:
        with quiet():
            found = subject.opened().predict_frame(data)
    except Exception as error:
        raise fail(f"run.predict_frame(data): {_raised(error)}") from error
    # `truncated` is clx's own.
    if list(found.index) != list(data.index) or not found.columns.difference(["truncated"]).size:
        raise fail(
            f"run.predict_frame(data) has the index {list(found.index)[:3]} … and {list(found)}"
        )


# ---- In a process of its own -------------------------------------------------------------------------


def _fresh(subject: Subject) -> dict[str, Any]:
    answer = subject.fresh
    if "error" in answer:
        raise fail(f"in a new process: {answer['error']}")
    return answer


@check(
    "A run that was moved gives the same predictions in another process.",
    "A model that was copied to a server answers differently there, or not at all.",
    "load_model load_tokenizer post_process_prediction",
    trains=True,
)
def moved_and_reopened(subject: Subject) -> None:
    """Copy the run, take the original away, and predict in a process of its own."""
    expected = json.loads(json.dumps(subject.predictions, default=plain))
    found = _fresh(subject)["predictions"]
    if not same(expected, found, 1e-3):
        raise fail(f"input 0 is {expected[0]!r} where it was trained, and {found[0]!r} elsewhere")


@check(
    "Options come back from config.json as they were, in another process.",
    "A run that is opened again behaves otherwise than the one that was trained.",
    "add_config_attrs __init__",
    trains=True,
)
def config_round_trip(subject: Subject) -> None:
    """Save a run with every option changed from its default, and open it in a process of its own."""
    values = subject.changed[0]
    run = subject.new_run(**values)
    (found,) = _fresh(subject)["configs"]
    for name in map(attribute_name, values):
        saved = json.loads(json.dumps(getattr(run, name)))
        if not same(saved, found[name], 0):
            raise fail(
                f"{name} is {saved!r} in the run that was saved, and {found[name]!r} when opened"
            )
    try:
        json.dumps(dict(run.config))
    except (TypeError, ValueError, ClxError) as error:
        raise fail(f"the config cannot be written: {error}") from error


@check(
    "Importing the module is quick.",
    "`clx train` of any task, and everybody's import of the package, waits for torch.",
    "module",
    trains=True,
)
def quick_import(subject: Subject) -> None:
    """Look at what the import of the module pulled in, in a process of its own."""
    answer = _fresh(subject)
    if answer["heavy"]:
        raise CheckWarningError(
            f"import {subject.task.__module__} imports {', '.join(answer['heavy'])} and takes "
            f"{answer['seconds']:.1f} s: import them within the methods that use them. A custom "
            f"trainer_class may be a property that imports it"
        )
