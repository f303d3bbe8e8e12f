"""The data check of ``train`` and ``run.check``, which works on tokenized splits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from clx.ml.data.check.findings import check_data
from clx.ml.data.check.labeled_texts import LabeledTexts, Rule, TextIndex
from clx.ml.data.row_targets import expected_counts, targets_of_frame
from clx.ml.data.splits import Split
from clx.ml.data.tables.json_types import plain
from clx.ml.data.texts import row_texts
from clx.ml.results.data_check import EVAL, TRAIN, DataCheck, Finding, as_sample
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    import pandas as pd

    from clx.ml.task.task import Task


def check_splits(
    task: Task, splits: Sequence[Split], limit: int | None, is_split: bool = False
) -> DataCheck:
    """Return the findings about the ``train`` split and, if there is one, the ``eval`` split.

    If a split lacks one of the task's ``text_columns``, or if a column holds values that are not
    strings, the result has the row counts only.

    Args:
        task: the run's task.
        splits: the training split, and the eval split if there is one.
        limit: the most tokens that the model reads, None if texts are not truncated.
        is_split: whether clx split the eval rows from the training data.
    """
    labeled: list[LabeledTexts] = []
    names = getattr(task, "label_names", None)
    for split in splits:
        texts = labeled_texts(task, split.frame, split.lengths)
        if texts is None:
            counts = {f"{split.name}_data": split.rows or len(split.frame) for split in splits}
            return DataCheck(rows=counts)
        if labeled and split.lazy is not None and split.lazy.label_counts is not None:
            # Of eval rows on disk, the frame is a sample.
            texts = replace(texts, counts=dict[str, float](split.lazy.label_counts))
        labeled.append(texts)
    lazy = splits[0].lazy
    check = check_data(
        labeled[0],
        labeled[1] if len(labeled) > 1 else None,
        label_names=names if isinstance(names, list) else None,
        limit=limit,
        is_split=is_split,
        train_counts=None if lazy is None else lazy.label_counts,
        train_rows=None if lazy is None else lazy.checked,
    )
    own = [
        finding
        for name, split, texts in zip((TRAIN, EVAL), splits, labeled, strict=False)
        for finding in _own_findings(task, split, TextIndex(name, texts))
    ]
    found = [finding for finding in check.findings if not _is_usual(task, finding)]
    check = replace(check, findings=(*found, *own))
    for name, split in zip((TRAIN, EVAL), splits, strict=False):
        if split.lazy is not None:
            check = as_sample(check, name, split.lazy.rows, split.lazy.checked)
    return check


def labeled_texts(
    task: Task, frame: pd.DataFrame, lengths: Sequence[int] | None = None
) -> LabeledTexts | None:
    """Return the rows of a validated frame in the form that the checks use.

    Args:
        task: the task, whose config was inferred.
        frame: the rows.
        lengths: the number of tokens of each row, None if they are unknown.

    Returns:
        None if a column of texts is missing, or holds values that are not strings.
    """
    texts = row_texts(frame, task.text_columns)
    if texts is None:
        return None
    with author_code(task, "row_labels"):
        labels = task.row_labels(frame)
    targets, names = targets_of_frame(task, frame), getattr(task, "label_names", None)
    soft = targets.probabilities
    return LabeledTexts(
        texts,
        labels,
        frame.index.tolist(),
        lengths,
        expected_counts(names or (), targets),
        None if soft is None else [row.tobytes() for row in soft],
        _marks(task, frame) if labels is None or _per_token(task) else None,
    )


def _marks(task: Task, frame: pd.DataFrame) -> list[str] | None:
    """Return a key of the cells of the label columns for each row, None without such columns."""
    columns = [name for name in task.label_column_names if name in frame.columns]
    if not columns and _per_token(task):
        # The task does not say which columns have the labels: any difference may be one.
        columns = list(frame.columns)
    if not columns:
        return None
    present = [frame[name].tolist() for name in columns]
    return [
        json.dumps(plain(row), sort_keys=True, default=str) for row in zip(*present, strict=True)
    ]


def _is_usual(task: Task, finding: Finding) -> bool:
    """Return whether a finding says nothing about this task.

    A label that every text has is not a label of every token.
    """
    return _per_token(task) and finding.kind == "labels_in_every_row"


def _per_token(task: Task) -> bool:
    return (task.pipeline_args or {}).get("task") == "token-classification"


def _own_findings(task: Task, split: Split, index: TextIndex) -> list[Finding]:
    """Return what the task itself reports about the rows of a split."""
    with author_code(task, "data_findings"):
        found = task.data_findings(split.frame)
    findings = []
    for each in found:
        shown = each.examples or ["" for _ in each.positions]
        rows = [
            f"{index.row(position)}{f' ({said})' if said else ''}"
            for position, said in zip(each.positions, shown, strict=False)
        ]
        findings += index.findings(
            Rule(each.kind, each.what, each.remedy), list(each.positions), rows
        )
    return findings
