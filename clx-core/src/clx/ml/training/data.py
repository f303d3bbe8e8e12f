"""From the data of a call to validated frames and tokenized splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError, DataWarning
from clx.ml.data.check.check import check_splits
from clx.ml.data.dataset import fingerprint
from clx.ml.data.frames import VALIDATION, training_sources
from clx.ml.data.holdout.arguments import split_asked_for
from clx.ml.data.holdout.rows import eval_rows, rows_of
from clx.ml.data.lengths import input_limit, warn_truncated
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.row_targets import require_weights
from clx.ml.data.splits import Split, tokenised_split
from clx.ml.data.task_frames import ColumnNames, validated_frame
from clx.ml.results.data_check import DataCheck, raise_if_strict
from clx.ml.results.row_split import RowSplit
from clx.ml.task.author_code import author_code
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task


@dataclass(frozen=True)
class Data:
    """The data arguments of a call, which ``TrainingRun.train`` describes.

    Attributes:
        train_data: the data of the call. A ``DatasetDict`` may have the eval data too.
        eval_data: the eval data, a share of the rows, or None.
        group_column: the column of groups, each of which stays on one side of a split.
        time_column: the column of times by which the newest rows are set aside.
        reading: how to read text files.
        columns: the data's names for the task's columns. None means the run's names.
    """

    train_data: Any
    eval_data: Any = None
    group_column: str | None = None
    time_column: str | None = None
    reading: Reading = DEFAULT_READING
    columns: ColumnNames | None = None


def validated_frames(task: Task, data: Data) -> tuple[dict[str, pd.DataFrame], RowSplit | None]:
    """Return the validated frames ``train`` and, if there is eval data, ``eval``.

    The task infers its config from the training data before the eval frame is validated. If the
    eval rows are a share of the training data, the task infers its config from all rows.

    Returns:
        The frames, and how they were split, None unless ``eval_data`` is a share.

    Raises:
        ConfigError: the share or the columns to split by are not valid.
        DataFormatError: the data is not in the task's format, or cannot be split.
    """
    asked = split_asked_for(data.eval_data, data.group_column, data.time_column, task.training_args)
    train_data, eval_data = training_sources(data.train_data, data.eval_data, data.reading)
    train = training_frame(task, replace(data, train_data=train_data), "train_data")
    if asked is not None:
        held_out, made = eval_rows(rows_of(task, train, "train_data"), asked)
        return {"train": train[~held_out], "eval": train[held_out]}, made
    if eval_data is None:
        return {"train": train}, None
    evaluated = validated_frame(
        task, eval_data, "eval_data", data.reading, data.columns, VALIDATION
    )
    return {"train": train, "eval": evaluated}, None


def training_frame(task: Task, data: Data, what: str) -> pd.DataFrame:
    """Return training data as a validated frame, after the task has inferred its config from it."""
    if task.tokenize_lazily:
        raise ConfigError(
            f"This call reads all rows of {what} into memory, so it cannot be used with "
            f"tokenize_lazily=True, which train(), check() and evaluate() take: make the run without "
            f"it and pass a sample of the rows"
        )
    train_data, _ = training_sources(data.train_data, None, data.reading)
    frame = validated_frame(task, train_data, what, data.reading, data.columns)
    require_weights(task, frame, what)
    with author_code(task, "infer_config"):
        task.infer_config(frame)
    return frame


def fingerprints(frames: dict[str, pd.DataFrame]) -> dict[str, str | None]:
    """Return a fingerprint of each frame; ``eval`` is None without eval data."""
    found = {name: fingerprint(frame) for name, frame in frames.items()}
    return {"train": found["train"], "eval": found.get("eval")}


def tokenized_splits(
    task: Task, tokenizer: PreTrainedTokenizerBase, frames: dict[str, pd.DataFrame]
) -> list[Split]:
    """Return the tokenized splits of validated frames."""
    return [tokenised_split(task, tokenizer, name, frame) for name, frame in frames.items()]


def check_or_warn(
    task: Task,
    splits: Sequence[Split],
    limit: int | None,
    made: RowSplit | None,
) -> DataCheck:
    """Check the data of a training, and warn about the findings.

    Args:
        task: the task to train.
        splits: the training split, and the eval split if there is one.
        limit: the most tokens that the model reads, None if texts are not truncated.
        made: the split that clx made, None if it made none.

    Raises:
        DataFormatError: there are findings, and the run has ``strict_data``.
    """
    check = check_splits(task, splits, limit, made is not None)
    raise_if_strict(check, task.strict_data)
    if not check.ok:
        warnings.warn(str(check), DataWarning, stacklevel=user_level())
    for split in splits:
        if split.lengths is None:
            # The check does not know these lengths, such as those of pairs of texts.
            what = f"{split.name}_data"
            warn_truncated(limit, split.truncated, len(split.frame), what)
    return check


def label_errors(task: Task, data: Data, folds: int, top: int | None) -> pd.DataFrame:
    """Return rows whose labels look wrong; see ``TrainingRun.find_label_errors``."""
    from clx.ml.model.head.label_errors import find_label_errors

    frame = training_frame(task, data, "train_data")
    tokenizer = task.tokenizer
    (split,) = tokenized_splits(task, tokenizer, {"train": frame})
    limit = input_limit(task, tokenizer)
    warn_truncated(limit, split.truncated, len(split.frame), "the data")
    return find_label_errors(task, tokenizer, split, folds, top)
