"""The data of a training: in memory, or on disk and tokenized while the training reads it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clx.errors import ConfigError, DataWarning
from clx.ml.data.arrow_rows import lazy_rows
from clx.ml.data.check.check import check_splits
from clx.ml.data.dataset import fingerprint
from clx.ml.data.frames import VALIDATION, training_sources
from clx.ml.data.holdout.arguments import seed_of, split_asked_for
from clx.ml.data.lazy_dataset import LazyDataset, tokenizing
from clx.ml.data.lazy_rows import LazyRows
from clx.ml.data.lengths import input_limit
from clx.ml.data.row_pass import (
    MAX_CHECKED,
    Passed,
    pass_over,
    passed_frame,
    representative_rows,
    shared_texts,
)
from clx.ml.data.row_stream import RowStream, is_stream
from clx.ml.data.splits import LazySplit, Split, tokenised_split
from clx.ml.data.task_frames import ColumnNames, names_of_data, own_frame
from clx.ml.evaluation.disk_rows import DiskRows, rows_to_evaluate
from clx.ml.results.data_check import DataCheck
from clx.ml.results.row_split import RowSplit
from clx.ml.task.author_code import author_code, validate_frame
from clx.ml.training.data import Data, validated_frames
from clx_runtime.callers import user_level

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerBase

    from clx.ml.task.task import Task

LAZY = "tokenize_lazily"
"""The entry in the results about rows that were tokenized during the training."""


@dataclass(frozen=True)
class LazyTraining:
    """Training rows that stay where they are.

    Attributes:
        rows: the rows.
        columns: the data's names of the task's columns.
        passed: what a pass over all rows found, None for a stream.
        all_labels: whether the task's config comes from all values of its label columns.
        lengths: the characters of each row's texts, shape (rows,). None if they are unknown.
    """

    rows: LazyRows | RowStream
    columns: ColumnNames | None
    passed: Passed | None
    all_labels: bool
    lengths: np.ndarray[Any, Any] | None = None


@dataclass(frozen=True)
class TrainingData:
    """The validated data of a training.

    Attributes:
        frames: ``train`` and, with eval data, ``eval``. Of rows on disk, they are samples.
        split: how clx split the frames, None if it did not.
        lazy: all training rows of a lazy training, else None.
        evaluated: all eval rows, if they stay on disk, else None.
    """

    frames: dict[str, pd.DataFrame]
    split: RowSplit | None = None
    lazy: LazyTraining | None = None
    evaluated: DiskRows | None = None

    @property
    def rows(self) -> int:
        """The number of training rows; of a stream, of those that were looked at."""
        known = self.lazy is not None and isinstance(self.lazy.rows, LazyRows)
        return len(self.lazy.rows if known else self.frames["train"])  # type: ignore[union-attr,arg-type]

    def fingerprints(self) -> dict[str, str | None]:
        """Return a fingerprint of the data of each split; ``eval`` is None without eval data."""
        frames, lazy, evaluated = self.frames, self.lazy, self.evaluated
        train = fingerprint(frames["train"]) if lazy is None else lazy.rows.digest()
        if evaluated is not None:
            return {"train": train, "eval": evaluated.rows.digest()}
        return {"train": train, "eval": fingerprint(frames["eval"]) if "eval" in frames else None}

    def tokenized(self, task: Task, tokenizer: PreTrainedTokenizerBase) -> list[Split]:
        """Return the tokenized splits; of rows on disk, the sample is tokenized.

        Raises:
            ConfigError: rows of a lazy training have soft labels.
        """
        splits = [
            tokenised_split(task, tokenizer, name, frame)
            if name == "train" or self.evaluated is None
            else self.evaluated.split(task, tokenizer, name)
            for name, frame in self.frames.items()
        ]
        if self.lazy is not None:
            from clx.ml.evaluation.row_targets import has_targets

            passed = self.lazy.passed
            if has_targets(splits[0].dataset) or (passed is not None and passed.soft):
                raise ConfigError(
                    "Soft labels cannot be used with tokenize_lazily: rows that are tokenized batch by "
                    "batch have one certain label, or a list of them. Name the likeliest label in each "
                    "row, or leave tokenize_lazily out"
                )
            splits[0] = replace(splits[0], lazy=self._lazy_split(task, tokenizer, self.lazy))
        return splits

    def _lazy_split(
        self, task: Task, tokenizer: PreTrainedTokenizerBase, lazy: LazyTraining
    ) -> LazySplit:
        tokenize = tokenizing(task, tokenizer, lazy.columns)
        if isinstance(lazy.rows, RowStream):
            from clx.ml.data.stream_dataset import StreamDataset

            return LazySplit(StreamDataset(lazy.rows, tokenize), None, once=lazy.rows.once)
        passed = lazy.passed
        assert passed is not None
        dataset = LazyDataset(lazy.rows, tokenize, lazy.lengths)
        return LazySplit(dataset, len(lazy.rows), passed.label_counts, passed.checked)

    def notes(self, arguments: Mapping[str, Any], steps: int) -> dict[str, Any]:
        """Return the entry of the results that says which rows were looked at, and for what.

        A ``DataWarning`` says if a stream ended before the training did.
        """
        if self.lazy is None:
            return {}
        sample = len(self.frames["train"])
        if self.lazy.passed is None:
            planned = int(arguments.get("max_steps", 0))
            if 0 < steps < planned:
                warnings.warn(
                    f"The stream of training rows ended after {steps} of {planned} steps, before the "
                    f"learning rate had fallen: pass a source with more rows, or fewer max_steps",
                    DataWarning,
                    stacklevel=user_level(),
                )
            of_sample = ["infer_config", "data_check", "probe"]
            return {LAZY: {"rows": None, "sample_rows": sample, "of_sample": of_sample}}
        of_all, of_sample = ["fingerprint"], ["data_check", "probe", "class_weights", "truncated"]
        (of_all if self.lazy.all_labels else of_sample).append("infer_config")
        known = {
            "rows": self.rows,
            "checked_rows": self.lazy.passed.checked,
            "sample_rows": sample,
            "of_all_rows": of_all,
            "of_checked_rows": ["validate_data_format", "label_counts", "leaked_texts"],
            "of_sample": of_sample,
        }
        if self.evaluated is not None:
            known["eval"] = {
                "rows": len(self.evaluated.rows),
                "checked_rows": self.evaluated.passed.checked,
                "sample_rows": len(self.frames["eval"]),
            }
        return {LAZY: known}


def training_data(task: Task, data: Data) -> TrainingData:
    """Return the validated data of a training.

    Raises:
        ConfigError: the share of eval rows is not valid, or the options do not fit the source.
        DataFormatError: the data is not in the task's format, or cannot be split.
    """
    if not task.tokenize_lazily:
        return TrainingData(*validated_frames(task, data))
    refuse_share(task, data)
    reading = replace(data.reading, lazily=True)
    source, eval_data = training_sources(data.train_data, data.eval_data, reading)
    if is_stream(source):
        return _stream_data(task, RowStream(source), replace(data, eval_data=eval_data))
    rows = lazy_rows(source, "train_data")
    seed = seed_of(task.training_args)
    chosen = representative_rows(task, rows, data.columns, "train_data", seed)
    _settle(task, chosen.frame, f"train_data (a sample of {len(rows)} rows)", data.columns)
    evaluated = _eval_rows(task, replace(data, eval_data=eval_data))
    passed = pass_over(task, rows, data.columns, "train_data", MAX_CHECKED)
    leaked, evaluated = _leaked(task, passed, evaluated)
    positions = np.union1d(chosen.shown, np.asarray(leaked, dtype=np.int64)).tolist()
    sample = own_frame(task, rows.frame(positions), data.columns, "train_data")
    lazy = LazyTraining(rows, data.columns, passed, chosen.complete, chosen.lengths)
    return _with_eval(TrainingData({"train": sample}, lazy=lazy), evaluated)


def refuse_share(task: Task, data: Data) -> None:
    """Raise if a training on rows that stay on disk is to set some of them aside.

    Raises:
        ConfigError: the eval data is a share, or the arguments of a split are not valid.
    """
    asked = split_asked_for(data.eval_data, data.group_column, data.time_column, task.training_args)
    if asked is not None:
        raise ConfigError(
            f"eval_data={data.eval_data!r} would set rows aside by their labels, for which all rows "
            f"must be in memory: with tokenize_lazily=True, write the rows to evaluate on into a file "
            f"of their own, and pass it as eval_data"
        )


def _settle(task: Task, frame: pd.DataFrame, what: str, columns: ColumnNames | None) -> None:
    """Let the task validate rows, and infer its config from them."""
    with names_of_data(task, columns):
        validate_frame(task, frame, what)
    with author_code(task, "infer_config"):
        task.infer_config(frame)


def _eval_rows(task: Task, data: Data) -> pd.DataFrame | DiskRows | None:
    if data.eval_data is None:
        return None
    return rows_to_evaluate(
        task, data.eval_data, "eval_data", data.reading, data.columns, VALIDATION
    )


def _leaked(
    task: Task, passed: Passed, evaluated: pd.DataFrame | DiskRows | None
) -> tuple[list[int], pd.DataFrame | DiskRows | None]:
    """Return training rows whose texts are in the eval data, and eval data whose sample has these."""
    if evaluated is None:
        return [], None
    if isinstance(evaluated, DiskRows):
        leaked, there = shared_texts(passed, evaluated.passed)
        return leaked, evaluated.with_rows(task, there)
    return shared_texts(passed, passed_frame(task, evaluated))[0], evaluated


def _with_eval(data: TrainingData, evaluated: pd.DataFrame | DiskRows | None) -> TrainingData:
    if evaluated is None:
        return data
    if isinstance(evaluated, DiskRows):
        return replace(data, frames={**data.frames, "eval": evaluated.frame}, evaluated=evaluated)
    return replace(data, frames={**data.frames, "eval": evaluated})


def _stream_data(task: Task, stream: RowStream, data: Data) -> TrainingData:
    """Return the data of a training on rows that can only be read from the beginning.

    Raises:
        ConfigError: nothing says when the training ends.
    """
    if int(task.training_args.get("max_steps") or 0) <= 0:
        raise ConfigError(
            "train_data is a stream, whose number of rows is not known, so training_args must say when "
            'the training ends: training_args={"max_steps": 10_000}'
        )
    frame = own_frame(task, stream.head("train_data"), data.columns, "train_data")
    what = f"train_data, the first {len(frame)} rows of a stream"
    _settle(task, frame, what, data.columns)
    read = TrainingData({"train": frame}, lazy=LazyTraining(stream, data.columns, None, False))
    return _with_eval(read, _eval_rows(task, data))


def refuse_budget(data: TrainingData, seconds: float | None) -> None:
    """Raise if the steps of a training on a stream are to be measured, which would use up its rows.

    Raises:
        ConfigError: there is a time budget.
    """
    if seconds is not None and data.lazy is not None and data.lazy.passed is None:
        raise ConfigError("time_budget cannot be used with a stream of rows: set max_steps")


def check_run_data(task: Task, data: Data) -> DataCheck:
    """Return the findings about the data; see ``TrainingRun.check``."""
    read = training_data(task, data)
    tokenizer = task.tokenizer
    splits = read.tokenized(task, tokenizer)
    limit, is_split = input_limit(task, tokenizer), read.split is not None
    return check_splits(task, splits, limit, is_split)
