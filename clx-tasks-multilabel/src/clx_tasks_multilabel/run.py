"""Multi-label text classification."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml import TrainingRun
from clx.ml.comparing import multilabel_difference
from clx.ml.data import column_problems, raise_data_problems, row_targets, text_problems
from clx.ml.decisions import LabelSet
from clx.ml.intervals import multilabel_intervals
from clx.ml.label_lists import SEPARATOR, multi_hot
from clx.ml.labels import (
    column_kind,
    infer_label_names,
    label_maps,
    label_names_problems,
    label_type_problems,
)
from clx.ml.multilabel_metrics import (
    co_occurrence_table,
    multilabel_calibration_table,
    multilabel_metrics,
    multilabel_table,
)
from clx.ml.thresholds import choose_thresholds, precision_recall_curve
from clx.problems import cell, examples, user_level
from clx_tasks_multilabel.data import (
    EXPECTED,
    LabelFormat,
    label_columns_problems,
    labels_and_scores,
    sample_frame,
)
from clx_tasks_multilabel.options import (
    given_thresholds,
    names_as_texts,
    new_decisions,
    objective_option_problems,
    threshold_problems,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel


class MultiLabelRun(TrainingRun):
    """Any number of labels for each text, including none.

    Data: a column ``text`` of strings and a column ``labels`` (or ``label``) with a list, tuple, set
    or array of names per row, or a column of 0 and 1 for each label. An empty list is valid. A row may
    also have soft labels, ``{label: probability}``, each of which is independent.
    Predictions: ``{label name: score}`` in the order of ``label_names``. Each score is a sigmoid,
    from 0 to 1.

    Args:
        run_name: the name of the run, see :class:`clx.ml.TrainingRun`.
        label_names: the labels in the order of the model's ``id2label``. None takes them from the
            training data, sorted by value.
        label_type: the type of labels in frames, ``"str"``, ``"int"`` or ``"bool"``. None takes it
            from the training data.
        label_separator: the separator between labels in a csv cell that is not a JSON list.
        label_columns: the columns of 0 and 1, one for each label. None takes them if there is no column
            ``labels`` and all ``label_names`` are columns.
        thresholds: the score at which a label is predicted: one number, or ``{label: number}``. None
            chooses one per label on the eval data; without eval data they are 0.5.
        threshold_objective: ``"f1"``, or ``"precision"`` or ``"recall"`` to reach a target.
        threshold_target: the precision or recall to reach, from 0 to 1.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "multi-label-classification"
    aliases = ("multilabel",)
    label_column_names = ("labels", "label")
    label_options = ("label_names", "label_columns", "thresholds")
    decision_options = ("thresholds", "threshold_objective", "threshold_target")
    add_config_attrs = [
        "label_names",
        "label_type",
        "label_separator",
        "label_columns",
        "thresholds",
        "threshold_objective",
        "threshold_target",
    ]
    pipeline_args = {"task": "text-classification"}
    predict_args = {"top_k": None}
    head_init = "probe"
    pooling = "auto"
    calibrate = True

    def __init__(
        self,
        run_name: str | None = None,
        *,
        label_names: Iterable[Any] | None = None,
        label_type: str | None = None,
        label_separator: str = SEPARATOR,
        label_columns: Iterable[Any] | None = None,
        thresholds: float | dict[str, float] | None = None,
        threshold_objective: str = "f1",
        threshold_target: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(run_name, **options)
        self.label_names: Any = names_as_texts(label_names)
        self.label_columns: Any = names_as_texts(label_columns)
        self.label_type = label_type
        self.label_separator = label_separator
        self.thresholds: Any = thresholds
        self.threshold_objective = threshold_objective
        self.threshold_target = threshold_target

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return rows for trying out the task."""
        return sample_frame()

    def check_config(self) -> list[str]:
        """Return the problems of the label names and the thresholds."""
        names = self.label_names
        problems = [] if names is None else label_names_problems(names)
        problems += label_type_problems(self.label_type, None if problems else names)
        if not isinstance(self.label_separator, str) or not self.label_separator:
            problems.append(f"label_separator must be a str, but is {cell(self.label_separator)}")
        problems += label_columns_problems(self.label_columns, None if problems else names)
        if self.label_column is not None and self.label_columns is not None:
            problems.append(
                "label_column and label_columns are both set: labels are in one of them"
            )
        problems += objective_option_problems(self.threshold_objective, self.threshold_target)
        return problems + threshold_problems(
            self.thresholds, self.threshold_target, self.label_names
        )

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise a ``DataFormatError`` that lists every problem in the columns text and labels."""
        labels = self._label_format()
        texts = column_problems(data, ["text"]) or text_problems(data)
        raise_data_problems([*texts, *labels.problems(data)], EXPECTED)
        labels.warn_repeated(data)

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Take the label names and their type from the training data."""
        flat = self._label_format().labels(train_data)
        if self.label_type is None:
            self.label_type = column_kind(flat) if flat else "str"
        if self.label_names is None:
            self.label_names = self.label_columns or infer_label_names(flat)
        if isinstance(self.thresholds, dict):
            # When check_config ran, the labels of the data were not known.
            problems = threshold_problems(self.thresholds, None, self.label_names)
            raise_data_problems(problems, EXPECTED)

    def row_labels(self, data: pd.DataFrame) -> list[list[str]]:
        """Return the label names of each row."""
        return self._label_format().lists(data)

    def label_cells(self, data: pd.DataFrame, labels: Mapping[int, Any]) -> dict[Any, list[Any]]:
        """Return the label columns with other labels in some rows."""
        return self._label_format().relabeled(data, labels)

    def row_probabilities(self, data: pd.DataFrame) -> Any:
        """Return the probability of each label in each row, None if all labels are hard."""
        return self._label_format().probabilities(data)

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokenized texts, each with a row of 0 and 1 for its labels."""
        lists = self._label_format().lists(examples)
        return {
            **super().tokenize(examples),
            "labels": multi_hot(lists, self.label_names).tolist(),
        }

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return a sequence classification model for the label names, with sigmoid scores."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            model_name,
            problem_type="multi_label_classification",
            **label_maps(self.label_names),
            **self.model_args,
        )

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return F1 (micro, macro, samples), subset accuracy, average precision, log loss, ECE."""
        labels, scores = labels_and_scores(eval_pred)
        rows = row_targets(eval_pred)
        metrics = multilabel_metrics(labels, scores, self._cuts(), rows.weights, rows.probabilities)
        chosen = (scores >= self._cuts()).astype(int)
        return metrics | self.extra_metrics(labels, chosen, metrics)

    def evaluation_intervals(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return 95 % bootstrap intervals of the headline metrics."""
        weights = row_targets(eval_pred).weights
        return multilabel_intervals(*labels_and_scores(eval_pred), self._cuts(), weights=weights)

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return ``per_label`` (with thresholds), ``co_occurrence``, ``calibration``, and the curve."""
        labels, scores = labels_and_scores(eval_pred)
        return {
            "per_label": multilabel_table(
                labels, scores, self._cuts(), self.label_names, row_targets(eval_pred).weights
            ),
            "co_occurrence": co_occurrence_table(labels, self.label_names),
            "calibration": multilabel_calibration_table(labels, scores),
            "decision_curve": precision_recall_curve(labels, scores, self.label_names),
        }

    def evaluation_rows(self, eval_pred: EvalPrediction) -> pd.DataFrame:
        """Return one row per text; a prediction is correct if its whole set of labels is."""
        import numpy as np
        import pandas as pd

        labels, scores = labels_and_scores(eval_pred)
        chosen = scores >= self._cuts()
        # A row is as certain as its least certain decision, for the predicted and the expected set.
        score = np.where(chosen, scores, 1 - scores).min(axis=1)
        expected_score = np.where(labels == 1, scores, 1 - scores).min(axis=1)
        return pd.DataFrame(
            {
                "given": [self._names(row == 1) for row in labels],
                "predicted": [self._names(row) for row in chosen],
                "score": score,
                "given_score": expected_score,
                "correct": (chosen == (labels == 1)).all(axis=1),
            }
        )

    def metric_differences(
        self, other: Any, eval_pred: EvalPrediction, other_pred: EvalPrediction
    ) -> Mapping[str, tuple[float, float, float]]:
        """Return paired bootstrap differences of the headline metrics."""
        labels, scores = labels_and_scores(eval_pred)
        order = [other.label_names.index(name) for name in self.label_names]
        _, others = labels_and_scores(other_pred)
        return multilabel_difference(
            labels,
            scores,
            self._cuts(),
            others[:, order],
            other._cuts()[order],
            weights=row_targets(eval_pred).weights,
        )

    def fit_decisions(self, eval_pred: EvalPrediction) -> None:
        """Choose a threshold for each label on the eval data, unless the user gave thresholds."""
        if self.thresholds is not None:
            return
        labels, scores = labels_and_scores(eval_pred)
        chosen = choose_thresholds(
            labels,
            scores,
            objective=self.threshold_objective,
            target=self.threshold_target,
            weights=row_targets(eval_pred).weights,
        )
        self.thresholds = dict(zip(self.label_names, chosen.values, strict=True))
        shared = [self.label_names[i] for i in chosen.fallback]
        if shared:
            warnings.warn(
                f"{len(shared)} of {len(self.label_names)} labels take the shared threshold "
                f"{chosen.shared:.3f}, because the eval data is not enough to choose their own: "
                f"{examples(shared)}",
                ClxWarning,
                stacklevel=user_level(),
            )

    def apply_decisions(self, given: Mapping[str, Any]) -> bool:
        """Set some thresholds and keep the rest, or set the objective to choose them by."""
        super().apply_decisions(new_decisions(given, self._limits()))
        return self.thresholds is None

    def decision_rule(self) -> LabelSet:
        """Return the rule: every label whose score reaches its threshold."""
        thresholds = tuple(self._limits().values())
        return LabelSet(tuple(self.label_names), self.label_type or "str", thresholds)

    def _label_format(self) -> LabelFormat:
        return LabelFormat(self.label_names, self.label_separator, self.label_columns)

    def _limits(self) -> dict[str, float]:
        return given_thresholds(self.thresholds, self.label_names)

    def _cuts(self) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.array(list(self._limits().values()))

    def _names(self, chosen: np.ndarray[Any, Any]) -> list[str]:
        return [name for name, is_in in zip(self.label_names, chosen, strict=True) if is_in]
