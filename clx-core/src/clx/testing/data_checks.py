"""Check which data a task accepts and rejects, before any training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clx.errors import ClxError, DataFormatError
from clx.ml.task.author_code import validate_frame
from clx.testing.catalog import check
from clx.testing.outcomes import CheckFailedError
from clx.testing.sampled import without_clx_warnings
from clx.testing.subject import Subject

if TYPE_CHECKING:
    import pandas as pd

ACCIDENTS = (KeyError, AttributeError, TypeError, IndexError, NameError, UnicodeError)


def refusal(subject: Subject, frame: pd.DataFrame) -> DataFormatError | None:
    """Return the error that a user gets for a frame, or None if the task accepts it."""
    run = subject.new_run()
    try:
        with without_clx_warnings():
            validate_frame(run, frame, "train_data")
    except DataFormatError as error:
        return error
    return None


def needed_columns(subject: Subject) -> list[str]:
    """Return the columns that the task requires: it rejects the sample without them."""
    sample = subject.sample
    return [name for name in sample.columns if refusal(subject, sample.drop(columns=[name]))]


@check(
    "The sample contains the texts that predictions are made from.",
    "predict, predict_frame and predict_file find no texts, or find other values instead.",
    "sample_data sample_inputs text_columns",
    reads="run",
    opens="sample",
)
def sample_texts(subject: Subject) -> None:
    """Look for texts in text_columns; if it fails, every check that needs the sample is skipped."""
    problem = subject.sample_problem
    if problem is not None:
        raise CheckFailedError(problem)


@check(
    "Valid data is accepted.",
    "A user's valid data is rejected.",
    "validate_data_format",
    reads="sample",
)
def good_frames(subject: Subject) -> None:
    """Try the sample as it is, with extra columns and a strange index, and reordered."""
    sample = subject.sample
    strange = sample.assign(input_ids="a column of the user's", comment=None)
    strange.index = ["same"] * len(strange)
    frames = {
        "the sample": sample,
        "the sample with extra columns and a repeating index": strange,
        "the sample with its columns in reverse order": sample[list(sample.columns)[::-1]],
        "the sample with its rows in reverse order": sample.iloc[::-1],
    }
    for what, frame in frames.items():
        error = refusal(subject, frame)
        if error is not None:
            raise CheckFailedError(f"for {what}: {_shown(error)}")


@check(
    "Invalid data is rejected with a message that names the column.",
    "The user trains on garbage, or gets an exception from deep inside a library.",
    "validate_data_format",
    reads="sample",
)
def bad_frames(subject: Subject) -> None:
    """Drop columns and spoil cells, one at a time."""
    sample = subject.sample
    texts = [name for name in subject.text_columns if name in sample.columns]
    only_texts = sample[texts]
    if texts and len(only_texts.columns) < len(sample.columns) and not refusal(subject, only_texts):
        raise CheckFailedError(
            f"data without labels is accepted for training: only {', '.join(texts)}"
        )
    for column, what, frame in _spoiled(subject):
        error = refusal(subject, frame)
        if error is None:
            raise CheckFailedError(f"nothing: {what} is accepted as valid data")
        cause = error.__cause__
        if isinstance(cause, ACCIDENTS) or (isinstance(cause, AssertionError) and not str(cause)):
            raise CheckFailedError(f"for {what}, an accidental exception: {_shown(error)}")
        if isinstance(cause, ClxError) and not isinstance(cause, DataFormatError):
            raise CheckFailedError(
                f"for {what}, an error that is not about the data: {_shown(error)}"
            )
        if not re.search(rf"\b{re.escape(column)}\b", str(error)):
            raise CheckFailedError(
                f"for {what}, a message that does not name the column: {_shown(error)}"
            )


def _spoiled(subject: Subject) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield each spoiled column, what is wrong with it, and the frame."""
    sample = subject.sample
    texts = [name for name in subject.text_columns if name in sample.columns]
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
    "The user's frame is not modified.",
    "A frame changes behind the user's back, and the next use of it goes wrong.",
    "validate_data_format infer_config tokenize",
    reads="sample",
)
def frames_untouched(subject: Subject) -> None:
    """Compare the frame before and after validation."""
    frame, run = subject.sample, subject.new_run()
    with without_clx_warnings():
        validate_frame(run, frame, "train_data")
        run.infer_config(frame)
    before = subject.sample
    columns = [str(name) for name in frame.columns]
    if columns != [str(name) for name in before.columns]:
        raise CheckFailedError(f"the frame's columns are {columns} after validation")
    for name in before.columns:
        if repr(frame[name].tolist()) != repr(before[name].tolist()):
            raise CheckFailedError(f"the frame's column {name!r} has other values after validation")


@check(
    "The same data gives the same inferred options.",
    "An interrupted training run cannot be resumed, and no result is reproducible.",
    "infer_config",
    reads="sample",
)
def same_data_same_config(subject: Subject) -> None:
    """Infer the options twice and compare them."""
    configs = []
    for run in (subject.new_run(), subject.new_run()):
        with without_clx_warnings():
            run.infer_config(subject.sample)
        configs.append(dict(run.config))
    first, second = configs
    for key, value in first.items():
        if value != second.get(key):
            raise CheckFailedError(
                f"{key} is {value!r} the first time and {second[key]!r} the next"
            )


def _shown(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = error.__cause__
    kind = type(cause if cause is not None else error).__name__
    return f"{kind}: {' '.join(lines[:3])[:300]}"
