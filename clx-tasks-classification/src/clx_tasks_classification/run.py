"""Single-label text classification."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, text_problems
from clx.ml.labels import (
    column_kind,
    fits,
    infer_label_names,
    label_ids,
    label_maps,
    label_names_problems,
    label_problems,
    original,
)
from clx.ml.metrics import classification_metrics, confusion_table, per_label_table
from clx.problems import cell, examples

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel

EXPECTED = (
    "a column 'text' of strings and a column 'label' of names (str, int, bool or category), such as "
    'pd.DataFrame({"text": ["apple", "cat"], "label": ["fruit", "animal"]}); other columns are '
    "ignored"
)


class ClassificationRun(TrainingRun):
    """One label for each text.

    Data: a column ``text`` of strings and a column ``label`` of str, int, bool or category; other
    columns are ignored. Predictions: ``{label name: probability}`` in the order of ``label_names``.

    Args:
        run_name: see :class:`clx.ml.TrainingRun`, as for all other arguments.
        label_names: the labels in the order of the model's ``id2label``. None takes those of the
            training data, sorted by value.
        label_type: ``"str"``, ``"int"`` or ``"bool"``: what a label is in frames; None takes it
            from the training data.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "classification"
    add_config_attrs = ["label_names", "label_type"]
    pipeline_args = {"task": "text-classification"}
    predict_args = {"top_k": None}

    def __init__(
        self,
        run_name: str | None = None,
        *,
        label_names: Iterable[Any] | None = None,
        label_type: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(run_name, **options)
        if isinstance(label_names, Iterator):
            label_names = list(label_names)
        if label_names is not None and not label_names_problems(label_names):
            label_names = [str(name) for name in label_names]
        self.label_names: Any = label_names
        self.label_type = label_type

    def check_config(self) -> list[str]:
        """Return what is wrong with ``label_names`` and ``label_type``."""
        problems = [] if self.label_names is None else label_names_problems(self.label_names)
        if self.label_type not in (None, "str", "int", "bool"):
            problems.append(
                f"label_type must be 'str', 'int' or 'bool', but is {cell(self.label_type)}"
            )
        elif self.label_names is not None and self.label_type is not None and not problems:
            strange = [name for name in self.label_names if not fits(name, self.label_type)]
            if strange:
                problems.append(
                    f"label_type is {self.label_type!r}, but label_names has {examples(strange)}"
                )
        return problems

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise a ``DataFormatError`` that lists every problem of the columns text and label."""
        missing = column_problems(data, ["text", "label"])
        raise_data_problems(missing, EXPECTED)
        raise_data_problems(
            [*text_problems(data), *label_problems(data, "label", self.label_names)], EXPECTED
        )

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Take the label names from the data, and what type they are there."""
        self.label_type = self.label_type or column_kind(train_data["label"])
        if self.label_names is None:
            self.label_names = infer_label_names(train_data["label"])
        present = {str(label) for label in train_data["label"]}
        absent = [name for name in self.label_names if name not in present]
        if absent:
            warnings.warn(
                f"{len(absent)} of {len(self.label_names)} labels have no training rows and cannot "
                f"be learnt: {examples(absent)}",
                ClxWarning,
                stacklevel=2,
            )

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokenised texts and the label ids."""
        return {
            **super().tokenize(examples),
            "labels": label_ids(examples["label"], self.label_names),
        }

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return a sequence classification model for the label names."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            model_name,
            problem_type="single_label_classification",
            **label_maps(self.label_names),
            **self.model_args,
        )

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return accuracy, F1 (macro, micro, weighted) and log-loss."""
        logits, labels = eval_pred
        return classification_metrics(labels, logits)

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return ``per_label`` (precision, recall, F1, support) and ``confusion``."""
        logits, labels = eval_pred
        predicted = logits.argmax(axis=1)
        return {
            "per_label": per_label_table(labels, predicted, self.label_names),
            "confusion": confusion_table(labels, predicted, self.label_names),
        }

    def post_process_prediction(self, prediction: Any) -> dict[str, float]:
        """Return ``{label: score}`` in the order of ``label_names``."""
        entries = [prediction] if isinstance(prediction, dict) else prediction
        scores = {entry["label"]: entry["score"] for entry in entries}
        return {name: scores[name] for name in self.label_names if name in scores}

    def prediction_row(self, prediction: Any, all_scores: bool = False) -> dict[str, Any]:
        """Return the best label as it is in the data, its score, and its lead over the next one."""
        ranked = sorted(prediction.values(), reverse=True)
        best = max(prediction, key=prediction.__getitem__)
        row = {
            "label": original(best, self.label_type or "str"),
            "score": ranked[0],
            "margin": ranked[0] - ranked[1] if len(ranked) > 1 else ranked[0],
        }
        if all_scores:
            row |= {f"score_{name}": score for name, score in prediction.items()}
        return row
