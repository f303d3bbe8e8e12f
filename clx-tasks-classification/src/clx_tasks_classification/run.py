"""Single-label text classification."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning, ConfigError
from clx.ml import TrainingRun
from clx.ml.data import (
    column_problems,
    label_probabilities,
    raise_data_problems,
    relabeled_cells,
    row_targets,
    text_problems,
)
from clx.ml.decisions import OneLabel
from clx.ml.labels import (
    column_kind,
    column_labels,
    infer_label_names,
    label_ids,
    label_maps,
    label_names_problems,
    label_problems,
    label_type_problems,
    label_values,
)
from clx.ml.metrics import (
    classification_metrics,
    confusion_table,
    log_softmax,
    per_label_table,
    row_log_probabilities,
    weighted_mean,
)
from clx.problems import cell, user_level
from clx_tasks_classification.columns import label_cells_of, label_column

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel

EXPECTED = (
    "a column 'text' of strings and a column 'label' of names (str, int, bool, category, lists of "
    "exactly one, or {name: probability}), such as "
    'pd.DataFrame({"text": ["apple", "cat"], "label": ["fruit", "animal"]}); other columns are '
    "ignored"
)


class ClassificationRun(TrainingRun):
    """One label for each text.

    Data: a column ``text`` of strings and a column ``label`` of str, int, bool or category, or a column
    ``label`` or ``labels`` of lists with exactly one of these; other columns are ignored. A label may
    also be soft, ``{label: probability}``. Predictions: ``{label name: probability}`` in the order of
    ``label_names``.

    Args:
        run_name: the name of the run, see :class:`clx.ml.TrainingRun`.
        label_names: the labels in the order of the model's ``id2label``. None takes them from the
            training data, sorted by value.
        label_type: the type of labels in frames, ``"str"``, ``"int"`` or ``"bool"``. None takes it
            from the training data.
        min_score: the score below which the run abstains. None means that it never abstains.
        target_accuracy: choose ``min_score`` on the eval data: the run abstains as rarely as possible
            and reaches this accuracy on the rows that it decides.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "classification"
    aliases = ("text-classification",)
    label_column_names = ("label", "labels")
    label_options = ("label_names",)
    decision_options = ("min_score", "target_accuracy")
    add_config_attrs = ["label_names", "label_type", "min_score", "target_accuracy"]
    pipeline_args = {"task": "text-classification"}
    predict_args = {"top_k": None}
    head_init = "probe"
    pooling = "auto"
    calibrate = True
    imbalanced_metric = "f1_macro"

    def __init__(
        self,
        run_name: str | None = None,
        *,
        label_names: Iterable[Any] | None = None,
        label_type: str | None = None,
        min_score: float | None = None,
        target_accuracy: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(run_name, **options)
        if isinstance(label_names, Iterator):
            label_names = list(label_names)
        if label_names is not None and not label_names_problems(label_names):
            label_names = [str(name) for name in label_names]
        self.label_names: Any = label_names
        self.label_type = label_type
        self.min_score = min_score
        self.target_accuracy = target_accuracy

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return rows for trying out the task."""
        import pandas as pd

        fruit = ["a red apple", "ripe pears", "lemon and melon", "an apple pie"]
        animals = ["a small cat", "wild horses", "dog and goat", "a cat sleeps"]
        rows = [(text, "fruit") for text in fruit] + [(text, "animal") for text in animals]
        return pd.DataFrame(rows, columns=["text", "label"])

    def check_config(self) -> list[str]:
        """Return the problems of the label names and of the options for abstaining."""
        names = self.label_names
        problems = [] if names is None else label_names_problems(names)
        problems += label_type_problems(self.label_type, None if problems else names)
        for name in ("target_accuracy", "min_score"):
            value = getattr(self, name)
            if value is not None and not _is_probability(value):
                problems.append(f"{name} must be a number from 0 to 1, but is {cell(value)}")
        return problems

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise a ``DataFormatError`` that lists every problem in the columns text and label."""
        column = label_column(data)
        missing = column_problems(data, ["text", column])
        raise_data_problems(missing, EXPECTED)
        raise_data_problems(
            [*text_problems(data), *label_problems(data, column, self.label_names)], EXPECTED
        )

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Take the label names and their type from the training data."""
        labels = self._labels(train_data)
        self.label_type = self.label_type or column_kind(labels)
        if self.label_names is None:
            self.label_names = infer_label_names(column_labels(label_cells_of(train_data)))

    def row_labels(self, data: pd.DataFrame) -> list[str]:
        """Return the label name of each row."""
        return [str(label) for label in self._labels(data)]

    def label_cells(self, data: pd.DataFrame, labels: Mapping[int, Any]) -> dict[Any, list[Any]]:
        """Return the label column with other labels in some rows."""
        column = label_column(data)
        return {column: relabeled_cells(data[column], labels, self.label_names or ())}

    def row_probabilities(self, data: pd.DataFrame) -> Any:
        """Return the probability of each label in each row, None if all labels are hard."""
        return label_probabilities(label_cells_of(data), self.row_labels(data), self.label_names)

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokenized texts and the label ids."""
        return {
            **super().tokenize(examples),
            "labels": label_ids(self._labels(examples), self.label_names),
        }

    def _labels(self, data: Any) -> list[Any]:
        """Return the label of each row of a validated frame, or of a dict of its columns."""
        return label_values(label_cells_of(data), self.label_names or ())

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
        """Return accuracy, F1, log loss and ECE; also coverage and its accuracy if the run abstains."""
        logits, labels = eval_pred
        rows = row_targets(eval_pred)
        metrics = classification_metrics(labels, logits, rows.weights, rows.probabilities)
        if self.min_score is not None:
            decided = _probabilities(logits).max(axis=1) >= self.min_score
            right, kept = logits.argmax(axis=1)[decided] == labels[decided], rows.select(decided)
            metrics["coverage"] = weighted_mean(decided, rows.weights)
            accuracy = weighted_mean(right, kept.weights) if len(right) else 0.0
            metrics["selective_accuracy"] = accuracy
        return metrics | self.extra_metrics(labels, logits.argmax(axis=1), metrics)

    def evaluation_intervals(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return 95 % bootstrap intervals of the headline metrics."""
        from clx.ml.intervals import classification_intervals

        logits, labels = eval_pred
        return classification_intervals(labels, logits, weights=row_targets(eval_pred).weights)

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return ``per_label``, ``confusion``, ``calibration`` and ``decision_curve``."""
        from clx.ml.metrics import calibration_table
        from clx.ml.thresholds import coverage_curve

        logits, labels = eval_pred
        predicted, weights = logits.argmax(axis=1), row_targets(eval_pred).weights
        return {
            "per_label": per_label_table(labels, predicted, self.label_names, weights),
            "confusion": confusion_table(labels, predicted, self.label_names),
            "calibration": calibration_table(labels, logits),
            "decision_curve": coverage_curve(labels, _probabilities(logits)),
        }

    def evaluation_rows(self, eval_pred: EvalPrediction) -> pd.DataFrame:
        """Return one row per text: the expected and the predicted label with their probabilities."""
        import numpy as np
        import pandas as pd

        logits, labels = eval_pred
        predicted, top, own = row_log_probabilities(labels, logits)
        return pd.DataFrame(
            {
                "given": [self.label_names[i] for i in labels],
                "predicted": [self.label_names[i] for i in predicted],
                "score": np.exp(top),
                "given_score": np.exp(own),
                "correct": predicted == labels,
            }
        )

    def metric_differences(
        self, other: Any, eval_pred: EvalPrediction, other_pred: EvalPrediction
    ) -> Mapping[str, tuple[float, float, float]]:
        """Return paired bootstrap differences of the headline metrics."""
        from clx.ml.comparing import classification_difference

        logits, labels = eval_pred
        order = [other.label_names.index(name) for name in self.label_names]
        others, weights = other_pred.predictions[:, order], row_targets(eval_pred).weights
        return classification_difference(labels, logits, others, weights=weights)

    def fit_decisions(self, eval_pred: EvalPrediction) -> None:
        """Choose the score below which the run abstains, if there is a target accuracy."""
        from clx.ml.thresholds import choose_cut

        if self.target_accuracy is None:
            return
        logits, labels = eval_pred
        weights = row_targets(eval_pred).weights
        cut = choose_cut(labels, _probabilities(logits), self.target_accuracy, weights)
        if cut is None:
            warnings.warn(
                f"No score reaches the target accuracy of {self.target_accuracy:.1%} on the eval data: "
                "the run does not abstain",
                ClxWarning,
                stacklevel=user_level(),
            )
        else:
            self.min_score = float(cut.min_score)

    def apply_decisions(self, given: Mapping[str, Any]) -> bool:
        """Set ``min_score`` or ``target_accuracy``; each replaces the other."""
        aims = given.get("target_accuracy") is not None
        if aims and given.get("min_score") is not None:
            raise ConfigError(
                "min_score and target_accuracy cannot both be set: target_accuracy chooses min_score"
            )
        if not given and self.target_accuracy is None:
            raise ConfigError(
                "The run has no target_accuracy to choose min_score by: set one of the two"
            )
        super().apply_decisions(given)
        if "min_score" in given and not aims:
            self.target_accuracy = None
        else:
            self.min_score = None
        return self.target_accuracy is not None

    def decision_rule(self) -> OneLabel:
        """Return the rule: the best label, or none if its score is below ``min_score``."""
        return OneLabel(tuple(self.label_names), self.label_type or "str", self.min_score)


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _probabilities(logits: Any) -> Any:
    import numpy as np

    return np.exp(log_softmax(np.asarray(logits, dtype=np.float64)))
