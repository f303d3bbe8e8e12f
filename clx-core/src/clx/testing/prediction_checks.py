"""Checks of the predictions that users get from a trained run."""

from __future__ import annotations

import json
from typing import Any

from clx.errors import ClxError
from clx.ml.prediction.output_types import declared_types, unfit_rows
from clx.ml.task.names import attribute_name
from clx.testing.catalog import check
from clx.testing.fresh import json_default
from clx.testing.outcomes import (
    CheckFailedError,
    CheckWarningError,
    describe_error,
)
from clx.testing.sampled import without_clx_warnings
from clx.testing.subject import Subject
from clx.testing.tolerance import same


def _predicted(subject: Subject, inputs: Any, **call: Any) -> list[Any]:
    try:
        return subject.predict(subject.opened(), inputs, **call)
    except Exception as error:
        raise CheckFailedError(f"run.predict(…): {describe_error(error)}") from error


@check(
    "predict works on the sample.",
    "Nobody can use the trained model.",
    "sample_inputs sample_data post_process_prediction pipeline_args predict_args",
    reads="predictions",
    opens="predictions",
)
def predicts(subject: Subject) -> None:
    """Predict the inputs of the sample; if that fails, the other checks of predictions are skipped."""
    try:
        subject.predict_once()
    except Exception as error:
        raise CheckFailedError(f"run.predict(…): {describe_error(error)}") from error


@check(
    "predict returns one prediction per input, in order, whatever the batch size.",
    "Predictions are matched with the wrong texts, or change with the batch size.",
    "post_process_prediction",
    reads="predictions",
)
def order_and_batches(subject: Subject) -> None:
    """Predict forward, backward, with repeated inputs, and with several batch sizes."""
    inputs = subject.inputs
    expected = _predicted(subject, inputs)
    if len(expected) != len(inputs):
        raise CheckFailedError(f"{len(expected)} predictions for {len(inputs)} inputs")
    mixed = [*range(len(inputs))[::-1], 0, 0]
    for what, order, size in (
        ("in batches of 1", range(len(inputs)), 1),
        ("in batches of 3", range(len(inputs)), 3),
        ("backward and with repeated inputs", mixed, None),
    ):
        found = _predicted(subject, [inputs[i] for i in order], batch_size=size)
        for row, prediction in zip(order, found, strict=True):
            if not same(expected[row], prediction):
                raise CheckFailedError(
                    f"input {row} is {expected[row]!r}, and {prediction!r} when predicted {what}"
                )


@check(
    "Repeated calls to predict give the same predictions.",
    "A service answers the second call differently from the first.",
    "post_process_prediction",
    reads="predictions",
)
def asked_again(subject: Subject) -> None:
    """Predict twice with one run, with another call in between."""
    run = subject.opened()
    try:
        first = subject.predict(run, subject.inputs)
        subject.predict(run, subject.inputs[:1])
        second = subject.predict(run, subject.inputs)
    except Exception as error:
        raise CheckFailedError(f"run.predict(…): {describe_error(error)}") from error
    if not same(first, second):
        raise CheckFailedError(
            f"the first call returns {first[0]!r}, and a later call {second[0]!r}"
        )


@check(
    "predict accepts any text: empty, blank, long, and in any script.",
    "One unusual row stops the prediction of a million others.",
    "post_process_prediction pipeline_args predict_args",
    reads="predictions",
)
def odd_texts(subject: Subject) -> None:
    """Predict texts that authors often forget."""
    if _predicted(subject, []) != []:
        raise CheckFailedError("run.predict([]) is not []")
    mask = subject.opened().tokenizer.mask_token
    for text in ("", " \t\n", "ünïcödé 漢字 🙂", "\u0000", "x" * 2000, "a few words " * 300):
        found = _predicted(subject, [subject.input_of(text, mask)])
        if len(found) != 1:
            raise CheckFailedError(f"{len(found)} predictions for the text {text[:20]!r}")


@check(
    "Predictions are plain values that JSON can represent.",
    "A service cannot send them, and predict_file cannot write them.",
    "post_process_prediction prediction_row",
    reads="predictions",
)
def json_values(subject: Subject) -> None:
    """Write the predictions as JSON and read them back."""
    predictions, run = _predicted(subject, subject.inputs), subject.opened()
    for prediction in predictions:
        _through_json("a prediction", prediction)
    try:
        rows = [run.prediction_row(each, all_scores=True, min_score=None) for each in predictions]
    except Exception as error:
        raise CheckFailedError(f"run.predict_frame(…): {describe_error(error)}") from error
    for row in rows:
        if not isinstance(row, dict) or not all(isinstance(key, str) for key in row):
            raise CheckFailedError(
                f"prediction_row() returns {row!r}, which is not a dict with str keys"
            )
        _through_json("a row of predict_frame", row)


def _through_json(what: str, value: Any) -> None:
    try:
        back = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise CheckFailedError(f"json.dumps of {what}, {value!r}: {error}") from error
    if not same(_lists(value), back, 0):
        raise CheckFailedError(f"{what} is {value!r}, and {back!r} after a round trip through JSON")


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


@check(
    "predict_frame returns one row per input row, with the same index.",
    "Users cannot join the predictions to their data.",
    "prediction_row text_columns",
    reads="predictions",
)
def frames(subject: Subject) -> None:
    """Predict the sample as a frame with a custom index."""
    import pandas as pd

    rows = [row if isinstance(row, tuple) else (row,) for row in subject.inputs]
    data = pd.DataFrame(rows, columns=subject.text_columns)
    data.index = [f"row {number}" for number in range(len(data))]
    try:
        with without_clx_warnings():
            found = subject.opened().predict_frame(data)
    except Exception as error:
        raise CheckFailedError(f"run.predict_frame(data): {describe_error(error)}") from error
    # clx itself adds the column `truncated`.
    if list(found.index) != list(data.index) or not found.columns.difference(["truncated"]).size:
        raise CheckFailedError(
            f"run.predict_frame(data) has the index {list(found.index)[:3]} … and {list(found)}"
        )


@check(
    "Predictions have the columns and types that prediction_types declares.",
    "Rows of a large prediction fail, or its parts cannot be joined.",
    "prediction_types prediction_row",
    reads="predictions",
)
def types(subject: Subject) -> None:
    """Compare the predictions for the sample with the declared types."""
    run = subject.opened()
    for all_scores in (False, True):
        try:
            declared = declared_types(run, all_scores)
            predicted = _predicted(subject, subject.inputs)
            rows = [run.prediction_row(each, all_scores=all_scores) for each in predicted]
            if declared is not None:
                unfit_rows(rows, declared, False, int)
        except CheckFailedError:
            raise
        except Exception as error:
            raise CheckFailedError(f"prediction_types(): {describe_error(error)}") from error


# ---- In a new process --------------------------------------------------------------------------------


def _fresh(subject: Subject) -> dict[str, Any]:
    answer = subject.fresh
    if "error" in answer:
        raise CheckFailedError(f"in a new process: {answer['error']}")
    return answer


@check(
    "A run that was moved gives the same predictions in a new process.",
    "A model that was copied to a server predicts differently there, or not at all.",
    "load_model load_tokenizer post_process_prediction",
    reads="predictions",
)
def moved_and_reopened(subject: Subject) -> None:
    """Copy the run, hide the original, and predict in a new process."""
    subject.require_published()
    expected = json.loads(json.dumps(subject.predictions, default=json_default))
    found = _fresh(subject)["predictions"]
    if not same(expected, found, 1e-3):
        raise CheckFailedError(
            f"input 0 is {expected[0]!r} where the run was trained, and {found[0]!r} elsewhere"
        )


@check(
    "A new process reads the same option values from config.json.",
    "A run that is opened again behaves differently from the run that was trained.",
    "add_config_attrs __init__",
    reads="training",
)
def config_round_trip(subject: Subject) -> None:
    """Save a run with every option changed from its default, and open it in a new process."""
    values = subject.changed.values
    run = subject.new_run(**values)
    (found,) = _fresh(subject)["configs"]
    for name in map(attribute_name, values):
        saved = json.loads(json.dumps(getattr(run, name)))
        if not same(saved, found[name], 0):
            raise CheckFailedError(
                f"{name} is {saved!r} in the saved run, and {found[name]!r} in the opened run"
            )
    try:
        json.dumps(dict(run.config))
    except (TypeError, ValueError, ClxError) as error:
        raise CheckFailedError(f"the config cannot be written: {error}") from error


@check(
    "Importing the module is fast.",
    "`clx train` and every import of the package wait for torch.",
    "module",
    reads="training",
)
def quick_import(subject: Subject) -> None:
    """Import the module in a new process and report the heavy packages that it imports."""
    answer = _fresh(subject)
    if answer["heavy"]:
        raise CheckWarningError(
            f"import {subject.task.__module__} imports {', '.join(answer['heavy'])} and takes "
            f"{answer['seconds']:.1f} s: import them inside the methods that use them. A custom "
            f"trainer_class may be a property that imports its base"
        )
