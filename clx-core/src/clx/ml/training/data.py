"""From the data of a call to validated frames and tokenized splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clx.errors import DataWarning
from clx.ml.data.check.check import check_splits
from clx.ml.data.dataset import fingerprint
from clx.ml.data.frames import VALIDATION, training_sources
from clx.ml.data.lengths import input_limit, warn_truncated
from clx.ml.data.reading import DEFAULT_READING, Reading
from clx.ml.data.splits import Split, tokenised_split
from clx.ml.data.task_frames import ColumnNames, validated_frame
from clx.ml.results.data_check import DataCheck, raise_if_strict
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task


def validated_frames(
    task: Task,
    train_data: Any,
    eval_data: Any,
    reading: Reading = DEFAULT_READING,
    columns: ColumnNames | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the validated frames ``train`` and, if there is eval data, ``eval``.

    The task infers its config from the training frame before the eval frame is validated.

    Args:
        task: the task, with the options of the run.
        train_data: the data of the call. A ``DatasetDict`` may have the eval data too.
        eval_data: the eval data of the call, or None.
        reading: how to read text files.
        columns: what the data calls the task's columns. None takes the run's names.
    """
    train_data, eval_data = training_sources(train_data, eval_data, reading)
    train = validated_frame(task, train_data, "train_data", reading, columns)
    with author_code(task, "infer_config"):
        task.infer_config(train)
    if eval_data is None:
        return {"train": train}
    evaluated = validated_frame(task, eval_data, "eval_data", reading, columns, VALIDATION)
    return {"train": train, "eval": evaluated}


def fingerprints(frames: dict[str, pd.DataFrame]) -> dict[str, str | None]:
    """Return a fingerprint of each frame; ``eval`` is None without eval data."""
    found = {name: fingerprint(frame) for name, frame in frames.items()}
    return {"train": found["train"], "eval": found.get("eval")}


def tokenized_splits(
    task: Task, tokenizer: PreTrainedTokenizerBase, frames: dict[str, pd.DataFrame]
) -> list[Split]:
    """Return the tokenized splits of validated frames."""
    return [tokenised_split(task, tokenizer, name, frame) for name, frame in frames.items()]


def check_or_warn(task: Task, splits: Sequence[Split], limit: int | None) -> DataCheck:
    """Check the data of a training, and warn about the findings.

    Args:
        task: the task to train.
        splits: the training split, and the eval split if there is one.
        limit: the most tokens that the model reads, None if texts are not truncated.

    Raises:
        DataFormatError: there are findings, and the run has ``strict_data``.
    """
    check = check_splits(task, splits, limit)
    raise_if_strict(check, task.strict_data)
    if not check.ok:
        warnings.warn(str(check), DataWarning, stacklevel=4)
    for split in splits:
        if split.lengths is None:
            # The check does not know these lengths, such as those of pairs of texts.
            what = f"{split.name}_data"
            warn_truncated(limit, split.truncated, len(split.frame), what, stacklevel=5)
    return check


def check_run_data(
    task: Task, train_data: Any, eval_data: Any, reading: Reading, columns: ColumnNames
) -> DataCheck:
    """Return the findings about the data; see ``TrainingRun.check``."""
    frames = validated_frames(task, train_data, eval_data, reading, columns)
    tokenizer = task.tokenizer
    splits = tokenized_splits(task, tokenizer, frames)
    return check_splits(task, splits, input_limit(task, tokenizer))


def label_errors(
    task: Task, data: Any, folds: int, top: int | None, reading: Reading, columns: ColumnNames
) -> pd.DataFrame:
    """Return rows whose labels look wrong; see ``TrainingRun.find_label_errors``."""
    from clx.ml.model.head.label_errors import find_label_errors

    train_data, _ = training_sources(data, None, reading)
    frames = validated_frames(task, train_data, None, reading, columns)
    tokenizer = task.tokenizer
    (split,) = tokenized_splits(task, tokenizer, frames)
    limit = input_limit(task, tokenizer)
    warn_truncated(limit, split.truncated, len(split.frame), "the data", stacklevel=4)
    return find_label_errors(task, tokenizer, split, folds, top)
