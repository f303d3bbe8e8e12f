"""Checks of the model inputs that a task makes from rows."""

from __future__ import annotations

import json
from typing import Any

from clx.ml.data.dataset import ROW_OF_RESULT, to_dataset
from clx.ml.run.run import TrainingRun
from clx.testing.catalog import check
from clx.testing.data_checks import refusal
from clx.testing.outcomes import (
    CheckFailedError,
    CheckWarningError,
    NotReachedError,
    describe_error,
)
from clx.testing.subject import Subject, without_clx_warnings
from clx.testing.tiny_model import MAX_TOKENS
from clx.testing.tolerance import same

LONG = 60
LIMIT = 48


@check(
    "tokenize respects the user's tokenize_args and truncates or windows long texts.",
    "A text longer than the model's limit ends training with a tensor error, and a limit that the user "
    "sets for speed or memory has no effect.",
    "tokenize",
    trains=True,
)
def tokenize_args(subject: Subject) -> None:
    """Tokenize long texts with and without a limit."""
    examples = _long_examples(subject)
    for arguments, limit in (({}, MAX_TOKENS), ({"max_length": LIMIT}, LIMIT)):
        run = subject.opened()
        run.tokenize_args = {**run.tokenize_args, **arguments}
        longest = max(len(ids) for ids in _tokenized(run, examples)["input_ids"])
        if subject.base_model_is_tiny and longest > limit:
            said = f"tokenize_args={arguments}" if arguments else f"a model limit of {limit} tokens"
            raise CheckFailedError(
                f"with {said}, a text of a few hundred words becomes {longest} tokens"
            )


def _long_examples(subject: Subject) -> dict[str, list[Any]]:
    """Return the sample with long texts and, if the task requires it, labels of that length."""
    for columns in (subject.text_columns, list(subject.sample.columns)):
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
    trains=True,
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
        rows.setdefault(int(row), []).append({n: _plain(columns[n][result]) for n in names})
    return list(rows.values())


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _unpadded(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    unpadded = []
    for result in results:
        kept = result.get("attention_mask")
        if isinstance(kept, list):
            result = {
                key: [v for v, keep in zip(value, kept, strict=True) if keep]
                if isinstance(value, list) and len(value) == len(kept)
                else value
                for key, value in result.items()
            }
        unpadded.append(result)
    return unpadded


@check(
    "The model gets one valid label id per row or token.",
    "Without labels there is no loss; with shifted labels the model learns something else.",
    "tokenize dataset_cols",
    trains=True,
)
def labels(subject: Subject) -> None:
    """Inspect the labels of the tokenized sample."""
    run = subject.opened()
    with without_clx_warnings():
        dataset = to_dataset(subject.sample, run.tokenize, run.dataset_cols, progress=False)
    missing = [name for name in ("input_ids", "labels") if name not in dataset.column_names]
    if missing:
        raise CheckFailedError(
            f"the model gets {', '.join(dataset.column_names)}, but not {', '.join(missing)}: "
            f"tokenize must return them, and dataset_cols must name them"
        )
    config = json.loads((subject.run_dir / "model" / "config.json").read_text(encoding="utf-8"))
    classes = len(config.get("id2label") or {})
    for row in dataset:
        values = row["labels"] if isinstance(row["labels"], list) else [row["labels"]]
        per_token = (run.pipeline_args or {}).get("task") == "token-classification"
        if per_token and len(values) != len(row["input_ids"]):
            raise CheckFailedError(
                f"a row of {len(row['input_ids'])} tokens has {len(values)} labels"
            )
        wrong = [v for v in values if isinstance(v, int) and v != -100 and not 0 <= v < classes]
        if classes > 1 and wrong:
            raise CheckFailedError(f"the label id {wrong[0]} for a model with {classes} labels")
