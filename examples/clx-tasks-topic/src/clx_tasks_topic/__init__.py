"""One label for a text: the task ``topic`` of clx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, text_problems
from clx.ml.decisions import OneLabel
from clx.ml.labels import (
    infer_label_names,
    label_ids,
    label_maps,
    label_names_problems,
    label_problems,
)
from clx.ml.metrics import classification_metrics, confusion_table, per_label_table

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel

EXPECTED = "a column 'text' of strings and a column 'label' of names"


class TopicRun(TrainingRun):
    """One label for each text.

    Data: columns ``text`` and ``label``. Predictions: ``{label name: probability}``.

    Args:
        label_names: the labels in the order of the model. None takes them from the training data.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "topic"
    label_column_names = ("label",)
    add_config_attrs = label_options = ["label_names"]
    pipeline_args = {"task": "text-classification"}
    predict_args = {"top_k": None}
    label_names: Any = None

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return rows for trying out the task."""
        import pandas as pd

        business = ["shares fell again", "the bank lends more", "a trade deal is near"]
        sport = ["the team won again", "a late goal", "she runs a fast race"]
        rows = [(text, "business") for text in business] + [(text, "sport") for text in sport]
        return pd.DataFrame(rows, columns=["text", "label"])

    def check_config(self) -> list[str]:
        """Return the problems of the option ``label_names``."""
        return [] if self.label_names is None else label_names_problems(self.label_names)

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise if a column is missing or the text or the label of a row is not valid."""
        raise_data_problems(column_problems(data, ["text", "label"]), EXPECTED)
        problems = [*text_problems(data), *label_problems(data, "label", self.label_names)]
        raise_data_problems(problems, EXPECTED)

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Take the labels from the data unless they are given."""
        if self.label_names is None:
            self.label_names = infer_label_names(train_data["label"])

    def row_labels(self, data: pd.DataFrame) -> list[str]:
        """Return the label of each row, which the check of the data needs."""
        return [str(label) for label in data["label"]]

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return a model with one output per label."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            model_name, **label_maps(self.label_names), **self.model_args
        )

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokenized texts and the label ids."""
        labels = label_ids(examples["label"], self.label_names)
        return {**super().tokenize(examples), "labels": labels}

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return accuracy, F1 and others, and the metrics named by the user."""
        logits, labels = eval_pred
        metrics = classification_metrics(labels, logits)
        return metrics | self.extra_metrics(labels, logits.argmax(axis=1), metrics)

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return a table of the labels and one of the labels that are confused."""
        predicted, labels = eval_pred.predictions.argmax(axis=1), eval_pred.label_ids
        return {
            "per_label": per_label_table(labels, predicted, self.label_names),
            "confusion": confusion_table(labels, predicted, self.label_names),
        }

    def decision_rule(self) -> OneLabel:
        """Return the rule: the label with the highest score."""
        return OneLabel(tuple(self.label_names))
