"""Checks of what a task says to wrong data, before anything is trained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clx.errors import ClxError, DataFormatError
from clx.ml.run.run import TrainingRun
from clx.ml.task.author_code import validate_frame
from clx.testing.results import check
from clx.testing.subject import Subject, fail, quiet

if TYPE_CHECKING:
    import pandas as pd

ACCIDENTS = (KeyError, AttributeError, TypeError, IndexError, NameError, UnicodeError)


def refusal(subject: Subject, frame: pd.DataFrame) -> DataFormatError | None:
    """Return the error that a user gets for a frame, None if it is taken."""
    run = subject.new_run()
    try:
        with quiet():
            validate_frame(run, frame, "train_data")
    except DataFormatError as error:
        return error
    return None


def needed_columns(subject: Subject) -> list[str]:
    """Return the columns without which the sample is refused."""
    sample = subject.sample
    return [name for name in sample.columns if refusal(subject, sample.drop(columns=[name]))]


@check(
    "The sample has the texts that predictions are made from.",
    "predict, predict_frame and predict_file find no texts, or something else in their place.",
    "sample_data text_columns",
)
def sample_texts(subject: Subject) -> None:
    """Look at the columns that text_columns names; no other check that needs the sample goes on."""
    problem = subject.sample_problem
    if problem is not None:
        raise fail(problem)


@check(
    "Good data is taken.",
    "A user's data is refused though nothing is wrong with it.",
    "validate_data_format",
)
def good_frames(subject: Subject) -> None:
    """Try the sample, with other columns, another index, another order of columns."""
    sample = subject.sample
    strange = sample.assign(input_ids="a column of the user's", comment=None)
    strange.index = ["same"] * len(strange)
    frames = {
        "the sample": sample,
        "the sample with more columns and an index that repeats": strange,
        "the sample with its columns in another order": sample[list(sample.columns)[::-1]],
        "the sample backwards": sample.iloc[::-1],
    }
    for what, frame in frames.items():
        error = refusal(subject, frame)
        if error is not None:
            raise fail(f"for {what}: {_shown(error)}")


@check(
    "Data of another format is refused, with a message that names the column.",
    "The user trains on garbage, or gets an exception from the depths of a library.",
    "validate_data_format",
)
def bad_frames(subject: Subject) -> None:
    """Take columns away, and spoil cells one by one."""
    sample = subject.sample
    only_texts = sample[subject.text_columns]
    if len(only_texts.columns) < len(sample.columns) and not refusal(subject, only_texts):
        raise fail(
            f"data without labels is taken for training: only {', '.join(subject.text_columns)}"
        )
    for column, what, frame in _spoilt(subject):
        error = refusal(subject, frame)
        if error is None:
            raise fail(f"nothing: {what} is taken as good data")
        cause = error.__cause__
        if isinstance(cause, ACCIDENTS) or (isinstance(cause, AssertionError) and not str(cause)):
            raise fail(f"for {what}, an exception that nobody meant: {_shown(error)}")
        if isinstance(cause, ClxError) and not isinstance(cause, DataFormatError):
            raise fail(f"for {what}, another error than one of the data: {_shown(error)}")
        if not re.search(rf"\b{re.escape(column)}\b", str(error)):
            raise fail(f"for {what}, a message that does not name the column: {_shown(error)}")


def _spoilt(subject: Subject) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the column, what was done to it, and the frame."""
    sample, texts = subject.sample, subject.text_columns
    for column in dict.fromkeys([*texts, *needed_columns(subject)]):
        yield column, f"a frame without the column {column!r}", sample.drop(columns=[column])
        values: list[Any] = [None, float("nan")]
        if column in texts:
            values += [5, "half of a pair: \ud800"]
        for value in values:
            yield column, f"{value!r} in the column {column!r}", _with_cell(sample, column, value)


def _with_cell(sample: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    import pandas as pd

    cells = sample[column].tolist()
    cells[-1] = value
    return sample.assign(**{column: pd.Series(cells, index=sample.index, dtype=object)})


@check(
    "The user's frame stays as it is.",
    "A frame is changed under the user's hands, and the next use of it goes wrong.",
    "validate_data_format infer_config tokenize",
)
def frames_untouched(subject: Subject) -> None:
    """Compare the frame before and after."""
    frame, run = subject.sample, subject.new_run()
    with quiet():
        validate_frame(run, frame, "train_data")
        run.infer_config(frame)
    _compare(subject, frame, "validated")


def _compare(subject: Subject, frame: pd.DataFrame, done: str) -> None:
    before = subject.sample
    columns = [str(name) for name in frame.columns]
    if columns != [str(name) for name in before.columns]:
        raise fail(f"the frame's columns are {columns} after it was {done}")
    for name in before.columns:
        if repr(frame[name].tolist()) != repr(before[name].tolist()):
            raise fail(f"the frame's column {name!r} has other values after it was {done}")


def inferred(subject: Subject, run: TrainingRun) -> None:
    """Let a run learn from the sample what ``train`` would."""
    with quiet():
        run.infer_config(subject.sample)


@check(
    "What is learnt from the same data is the same.",
    "A training that was interrupted cannot be resumed, and no figure can be repeated.",
    "infer_config",
)
def same_data_same_config(subject: Subject) -> None:
    """Infer twice and compare; another order of the rows makes no difference to the names."""
    one, two = subject.new_run(), subject.new_run()
    inferred(subject, one)
    inferred(subject, two)
    first, second = dict(one.config), dict(two.config)
    different = [key for key in first if first[key] != second.get(key)]
    if different:
        key = different[0]
        raise fail(f"{key} is {first[key]!r} once and {second[key]!r} the next time")


def _shown(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = error.__cause__
    kind = type(cause if cause is not None else error).__name__
    return f"{kind}: {' '.join(lines[:3])[:300]}"
