"""Checks of the model inputs that a task makes from rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clx.ml.data.dataset import ROW_OF_RESULT, to_dataset
from clx.ml.run.run import TrainingRun
from clx.ml.task.predicting import pipeline_task
from clx.testing.catalog import check
from clx.testing.data_checks import refusal
from clx.testing.label_kinds import (
    CLASSES,
    LABEL_KINDS,
    has_own_loss,
    label_inputs,
    label_kind,
    number_of_ids,
    plain,
    token_columns,
)
from clx.testing.outcomes import (
    CheckFailedError,
    CheckWarningError,
    NotReachedError,
    describe_error,
)
from clx.testing.sampled import without_clx_warnings
from clx.testing.subject import Subject
from clx.testing.tiny_model import MAX_TOKENS
from clx.testing.tolerance import same

LONG = 60
_MASK = "attention_mask"
LIMIT = 48


@check(
    "tokenize respects the user's tokenize_args and truncates or windows long texts.",
    "A text longer than the model's limit ends training with a tensor error, and a limit that the user "
    "sets for speed or memory has no effect.",
    "tokenize",
    reads="training",
)
def tokenize_args(subject: Subject) -> None:
    """Tokenize long texts with and without a limit."""
    examples = _long_examples(subject)
    for arguments, limit in (({}, MAX_TOKENS), ({"max_length": LIMIT}, LIMIT)):
        run = subject.opened()
        run.tokenize_args = {**run.tokenize_args, **arguments}
        columns = _tokenized(run, examples)
        ids = [row for name in token_columns(columns) for row in columns[name]]
        longest = max(map(len, ids), default=0)
        if subject.base_model_is_tiny and longest > limit:
            said = f"tokenize_args={arguments}" if arguments else f"a model limit of {limit} tokens"
            raise CheckFailedError(
                f"with {said}, a text of a few hundred words becomes {longest} tokens"
            )


def _long_examples(subject: Subject) -> dict[str, list[Any]]:
    """Return the sample with long texts and, if the task requires it, labels of that length."""
    every = list(subject.sample.columns)
    texts = [name for name in subject.text_columns if name in every]
    for columns in (texts or every, every):
        sample = subject.sample
        for name in columns:
            sample[name] = [_longer(value) for value in sample[name]]
        if refusal(subject, sample) is None:
            return {str(name): sample[name].tolist() for name in sample.columns}
    raise NotReachedError("the task rejects every version of the sample with longer texts")


def _longer(value: Any) -> Any:
    if isinstance(value, str):
        return f"{value} " * LONG
    return value * LONG if isinstance(value, list) else value


def _tokenized(run: TrainingRun, examples: dict[str, list[Any]]) -> dict[str, list[Any]]:
    try:
        with without_clx_warnings():
            return {key: list(values) for key, values in run.tokenize(examples).items()}
    except Exception as error:
        raise CheckFailedError(describe_error(error)) from error


@check(
    "A row gives the same model inputs whichever rows it is tokenized with.",
    "Results depend on how the data happens to be split into chunks, and padding costs time and memory.",
    "tokenize",
    reads="training",
)
def rows_alone(subject: Subject) -> None:
    """Tokenize all rows together, and one by one."""
    sample, run = subject.sample, subject.opened()
    together = _rows(_tokenized(run, {str(n): sample[n].tolist() for n in sample.columns}))
    alone: list[list[dict[str, Any]]] = []
    for row in range(len(sample)):
        one = {str(name): sample[name].tolist()[row : row + 1] for name in sample.columns}
        alone += _rows(_tokenized(run, one))
    for number, (one_row, same_row) in enumerate(zip(together, alone, strict=False)):
        if not same(_unpadded(one_row), _unpadded(same_row)):
            raise CheckFailedError(
                f"row {number} is {one_row} with the other rows, and {same_row} alone"
            )
    if not same(together, alone):
        raise CheckWarningError(
            "tokenize pads its rows: leave padding to the collator, which is faster because it pads "
            "each batch only as far as needed"
        )


def _rows(columns: dict[str, list[Any]]) -> list[list[dict[str, Any]]]:
    """Group the tokenized results by the row of the data that they come from."""
    names = [name for name in columns if name != ROW_OF_RESULT]
    count = len(columns[names[0]]) if names else 0
    of_row = columns.get(ROW_OF_RESULT) or list(range(count))
    rows: dict[int, list[dict[str, Any]]] = {}
    for result, row in enumerate(of_row):
        rows.setdefault(int(row), []).append({n: plain(columns[n][result]) for n in names})
    return list(rows.values())


def _unpadded(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows without the padding that their attention masks name."""
    unpadded = []
    for result in results:
        masks = {name: mask for name, mask in result.items() if _MASK in name and mask}
        row = dict(result)
        for name, value in result.items():
            kept = next((mask for key, mask in masks.items() if _belongs(name, key)), None)
            if isinstance(value, list) and isinstance(kept, list) and len(value) == len(kept):
                row[name] = [v for v, keep in zip(value, kept, strict=True) if keep]
        unpadded.append(row)
    return unpadded


def _belongs(name: str, mask: str) -> bool:
    """Return whether a mask is that of an input: both are called after the same text, or after none."""
    before, _, after = mask.partition(_MASK)
    return name.startswith(before) and name.endswith(after)


@check(
    "The model gets valid labels, one per row or token.",
    "Without labels there is no loss; with shifted labels the model learns something else.",
    "tokenize dataset_cols load_data_collator",
    reads="training",
)
def labels(subject: Subject) -> None:
    """Inspect the labels in a batch of the sample, as the collator makes it."""
    run = subject.opened()
    if run.labels_are not in (None, *LABEL_KINDS):
        raise CheckFailedError(
            f"labels_are must be {', '.join(map(repr, LABEL_KINDS))} or None, but is "
            f"{run.labels_are!r}"
        )
    batch = _batch(subject, run)
    names = [name for name in label_inputs(run) if name in batch]
    if not names and label_inputs(run) and not has_own_loss(run):
        raise CheckFailedError(
            f"the model gets {', '.join(batch)}, but not {', '.join(label_inputs(run))}: tokenize or "
            f"the collator must return them, and dataset_cols must name what tokenize returns"
        )
    kind = label_kind(run)
    for name in names:
        _check_ids(batch[name], kind, number_of_ids(run, kind))
    if run.pipeline_args is not None and pipeline_task(run) == "token-classification":
        _check_tokens(subject, run)


def _batch(subject: Subject, run: TrainingRun) -> dict[str, Any]:
    """Return the sample as a batch for the model."""
    with without_clx_warnings():
        dataset = to_dataset(subject.sample, run.tokenize, run.dataset_cols, progress=False)
        try:
            return dict(run.load_data_collator()(list(dataset)))
        except Exception as error:
            raise CheckFailedError(describe_error(error)) from error


def _check_ids(values: Any, kind: str, ids: int) -> None:
    """Fail for the first id that the model does not have; -100 leaves a token out of the loss."""
    wrong = [
        value
        for value in _numbers(plain(values))
        if isinstance(value, int) and value != -100 and not 0 <= value < ids
    ]
    if ids and wrong:
        of = "labels" if kind == CLASSES else "tokens"
        raise CheckFailedError(f"the label id {wrong[0]} for a model with {ids} {of}")


def _numbers(values: Any) -> Iterator[Any]:
    if isinstance(values, list | tuple):
        for value in values:
            yield from _numbers(value)
    else:
        yield values


def _check_tokens(subject: Subject, run: TrainingRun) -> None:
    with without_clx_warnings():
        dataset = to_dataset(subject.sample, run.tokenize, run.dataset_cols, progress=False)
    for row in dataset:
        ids, given = row.get("input_ids"), row.get("labels")
        if ids is not None and isinstance(given, list) and len(given) != len(ids):
            raise CheckFailedError(f"a row of {len(ids)} tokens has {len(given)} labels")
