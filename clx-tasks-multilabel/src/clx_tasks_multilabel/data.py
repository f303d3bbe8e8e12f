"""The data format of the task: its description, the location of the labels, and sample rows."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml.data import (
    column_problems,
    label_probabilities,
    relabeled_lists,
    relabeled_marks,
    soft_names,
)
from clx.ml.label_lists import (
    column_lists,
    label_list_problems,
    label_lists,
    one_hot_lists,
    one_hot_problems,
    repeated_rows,
)
from clx.ml.labels import label_names_problems
from clx.ml.multilabel_metrics import sigmoid
from clx.problems import examples, names, user_level

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction

EXPECTED = (
    "a column 'text' of strings and a column 'labels' with a list of names per row, such as "
    'pd.DataFrame({"text": ["ripe apple", "cat"], "labels": [["fruit", "red"], []]}); in csv a JSON '
    "list, or names with label_separator between them. A row may also have {name: probability}, each "
    "from 0 to 1. Or a column of 0 and 1 for each label, which "
    "label_columns=[...] names. Other columns are ignored"
)


@dataclass(frozen=True)
class LabelFormat:
    """The options of the run that say where the labels of rows are and how to read them.

    Attributes:
        label_names: the label space, None if it is not known yet.
        separator: the separator between labels in a text.
        columns: the one-hot columns that the user named, or None.
    """

    label_names: Sequence[str] | None
    separator: str
    columns: Sequence[str] | None

    def source(self, present: Collection[Any]) -> str | list[str]:
        """Return the column of lists, or the list of one-hot columns, to take the labels from.

        ``label`` is accepted if there is no ``labels``. The columns are one-hot if the user named
        them, or if every label name is a column and there is no column of lists.
        """
        lists = next((name for name in ("labels", "label") if name in present), None)
        known = {str(name) for name in present} - {"text"}
        if self.columns is not None and (lists is None or known & set(self.columns)):
            return list(self.columns)
        if lists is None and self.label_names is not None and known & set(self.label_names):
            return list(self.label_names)
        return lists or "labels"

    def problems(self, data: pd.DataFrame) -> list[str]:
        """Return the problems of the label columns."""
        source = self.source(data.columns)
        if isinstance(source, str):
            missing = column_problems(data, [source])
            return missing or label_list_problems(data, source, self.label_names, self.separator)
        renamed = data.rename(columns=str)
        missing = column_problems(renamed, source)
        if missing and self.columns is None:
            return [
                "there is no column 'labels', and only some of the names in label_names are columns: "
                + names(name for name in source if name in renamed.columns)
            ]
        return missing or one_hot_problems(renamed, source)

    def labels(self, data: Any) -> list[Any]:
        """Return the labels of all rows of a validated frame in one sequence."""
        source = self.source(data.keys())
        if isinstance(source, list):
            return [name for row in self.lists(data) for name in row]
        rows = column_lists(data[source], self.separator, self.label_names)
        return [*(label for labels in rows for label in labels or ()), *soft_names(data[source])]

    def probabilities(self, data: Any) -> Any:
        """Return the probability of each label in each row, None if no row has soft labels."""
        source = self.source(data.keys())
        if isinstance(source, list):
            return None
        names = self.label_names or ()
        return label_probabilities(data[source], self.lists(data), names, exclusive=False)

    def lists(self, data: Any) -> list[list[str]]:
        """Return the label names of each row of a validated frame, or of a dict of its columns."""
        source = self.source(data.keys())
        if isinstance(source, list):
            called: Mapping[str, Any] = {str(name): name for name in data.keys()}  # noqa: SIM118
            return one_hot_lists({name: data[called[name]] for name in source})
        return label_lists(data[source], self.separator, self.label_names)

    def relabeled(
        self, data: pd.DataFrame, labels: Mapping[int, Sequence[Any]]
    ) -> dict[Any, list[Any]]:
        """Return the label columns with other labels in some rows, given by position."""
        source = self.source(data.columns)
        if isinstance(source, str):
            cells = relabeled_lists(data[source], labels, self.separator, self.label_names)
            return {source: cells}
        called = {str(name): name for name in data.columns}
        names = {row: set(map(str, of)) for row, of in labels.items()}
        return {
            called[label]: relabeled_marks(
                data[called[label]], {row: label in of for row, of in names.items()}
            )
            for label in source
        }

    def warn_repeated(self, data: pd.DataFrame) -> None:
        """Warn about rows that have a label more than once."""
        source = self.source(data.columns)
        if isinstance(source, list):
            return
        repeated = repeated_rows(data, source, self.separator, self.label_names)
        if repeated:
            warnings.warn(
                f"{len(repeated)} rows repeat a label, which counts once: {examples(repeated)}",
                ClxWarning,
                stacklevel=user_level(),
            )


def label_columns_problems(columns: Any, label_names: Sequence[str] | None) -> list[str]:
    """Return the problems of the option ``label_columns``; ``label_names`` are valid names or None."""
    if columns is None:
        return []
    problems = label_names_problems(columns, "label_columns")
    if problems or label_names is None:
        return problems
    texts = {str(name) for name in columns}
    if texts != set(label_names):
        return [
            "label_columns and label_names must be the same names, but differ in "
            + names(sorted(texts ^ set(label_names)))
        ]
    return []


def sample_frame() -> pd.DataFrame:
    """Return rows for trying out the task."""
    import pandas as pd

    rows = [
        ("a red apple", ["fruit", "red"]),
        ("ripe pears", ["fruit"]),
        ("a red car", ["red"]),
        ("lemon and melon", ["fruit"]),
        ("an apple pie, red and sweet", ["fruit", "red"]),
        ("it rained all day", []),
        ("a red door", ["red"]),
        ("nobody came", []),
    ]
    return pd.DataFrame(rows, columns=["text", "labels"])


def labels_and_scores(eval_pred: EvalPrediction) -> tuple[Any, Any]:
    """Return the 0/1 labels and the sigmoid scores, both of shape (rows, num_labels)."""
    import numpy as np

    logits, labels = eval_pred
    return labels.astype(np.int64), sigmoid(logits)
