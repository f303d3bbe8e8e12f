"""The check of the data as ``train`` and ``run.check`` make it: from tokenised splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clx.ml.data.check.findings import DataSplit, check_data
from clx.ml.data.splits import Split
from clx.ml.data.texts import row_texts
from clx.ml.results.data_check import DataCheck
from clx.ml.task.author_code import author_code

if TYPE_CHECKING:
    from clx.ml.task.task import Task


def check_splits(task: Task, splits: Sequence[Split], limit: int | None) -> DataCheck:
    """Return what is found in the splits ``train`` and, if there is one, ``eval``.

    Where the columns of the task's ``text_columns`` are missing or hold no texts, there are the
    counts of rows and no findings.
    """
    plain = []
    for split in splits:
        texts, rows = row_texts(split.frame, task.text_columns), split.frame.index.tolist()
        if texts is None:
            return DataCheck(rows={f"{split.name}_data": len(split.frame) for split in splits})
        with author_code(task, "row_labels"):
            labels = task.row_labels(split.frame)
        plain.append(DataSplit(texts, labels, rows, split.lengths))
    names = getattr(task, "label_names", None)
    return check_data(
        plain[0],
        plain[1] if len(plain) > 1 else None,
        label_names=names if isinstance(names, list) else None,
        limit=limit,
    )
