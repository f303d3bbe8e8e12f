"""Token classification: labeled spans in texts, such as named entities."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from clx.errors import ClxWarning
from clx.ml import TrainingRun
from clx.ml.data import RowFinding
from clx.ml.labels import label_maps, label_names_problems
from clx.ml.spans import bio_labels, span_label_names, tag_metrics
from clx.problems import cell, examples, user_level
from clx_tasks_tokens import evaluating
from clx_tasks_tokens.alignment import span_findings
from clx_tasks_tokens.data import SPANS, read_rows, sample_frame, validate
from clx_tasks_tokens.decoding import STRATEGIES, kept
from clx_tasks_tokens.encoding import Reading, labeled_windows
from clx_tasks_tokens.label_errors import suspicious_spans
from clx_tasks_tokens.thresholds import curve, new_decisions, threshold_problems

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel


class TokenClassificationRun(TrainingRun):
    """Labeled spans in each text, such as named entities.

    Data: a column ``text`` and a column ``spans`` (or ``entities``) with a list of
    ``{"start", "end", "label"}`` per row, in characters, ``end`` exclusive; or a column ``words`` (or
    ``tokens``) and a column ``tags`` (or ``ner_tags``) of lists. Predictions: a list of
    ``{"start", "end", "label", "score", "text"}`` per text. Texts of any length are read whole, in
    windows that overlap.

    Args:
        run_name: the name of the run, see :class:`clx.ml.TrainingRun`.
        label_names: the labels of spans. None takes them from the training data, sorted.
        thresholds: the score that a span needs: one number, or ``{label: number}``. None chooses one
            per label on the eval data. Without eval data, and for labels without an entry, a span is
            predicted if its label is the most probable one in each of its words.
        threshold_objective: ``"f1"``, or ``"precision"`` or ``"recall"`` to reach a target.
        threshold_target: the precision or recall to reach, above 0 and at most 1.
        aggregation_strategy: how the tokens of a word become its scores: those of the ``"first"``, the
            ``"average"``, or those of the most certain token (``"max"``).
        stride: the tokens that two windows of a long text share. None takes a quarter of a window.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "token-classification"
    aliases = ("ner",)
    label_column_names = SPANS
    label_options = ("label_names", "thresholds")
    decision_options = ("thresholds", "threshold_objective", "threshold_target")
    add_config_attrs = [
        "label_names",
        "thresholds",
        "threshold_objective",
        "threshold_target",
        "aggregation_strategy",
        "stride",
    ]
    dataset_cols = ["input_ids", "attention_mask", "labels", "starts", "ends", "window"]
    onnx_outputs = {"logits": ("texts", "tokens", "labels")}
    # Measured: docs/background/defaults.md, "Steps of a training on few rows".
    min_steps = 700

    def __init__(
        self,
        run_name: str | None = None,
        *,
        label_names: Iterable[Any] | None = None,
        thresholds: float | dict[str, float] | None = None,
        threshold_objective: str = "f1",
        threshold_target: float | None = None,
        aggregation_strategy: str = "first",
        stride: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(run_name, **options)
        self.label_names: Any = (
            list(label_names) if isinstance(label_names, Iterator) else label_names
        )
        if isinstance(self.label_names, tuple):
            self.label_names = list(self.label_names)
        self.thresholds: Any = thresholds
        self.threshold_objective = threshold_objective
        self.threshold_target = threshold_target
        self.aggregation_strategy = aggregation_strategy
        self.stride = stride

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return rows for trying out the task."""
        return sample_frame()

    def check_config(self) -> list[str]:
        """Return the problems of the options."""
        names, problems = self.label_names, []
        if names is not None:
            problems = label_names_problems(names, least=1)
            if not problems and not all(isinstance(name, str) for name in names):
                problems = [f"label_names must be str, but is {cell(names)}"]
        if self.aggregation_strategy not in STRATEGIES:
            problems.append(
                f"aggregation_strategy must be one of {', '.join(STRATEGIES)}, but is "
                f"{cell(self.aggregation_strategy)}"
            )
        if self.stride is not None and (type(self.stride) is not int or self.stride < 0):
            problems.append(f"stride must be a number of tokens, but is {cell(self.stride)}")
        return problems + threshold_problems(
            self.thresholds, self.threshold_objective, self.threshold_target, names
        )

    def read_data(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return the data with the columns ``text`` and ``spans``, from any of the task's forms."""
        return read_rows(data)

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise a ``DataFormatError`` that lists every problem in the texts and the spans."""
        # Users may call it with the form that they have.
        validate(read_rows(data), self.label_names)

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Take the labels from the training data unless they are given."""
        if self.label_names is None:
            self.label_names = span_label_names(train_data["spans"])

    def row_labels(self, data: pd.DataFrame) -> list[list[str]]:
        """Return the distinct labels of the spans of each row."""
        return [span_label_names([spans]) for spans in data["spans"]]

    def data_findings(self, data: pd.DataFrame) -> list[RowFinding]:
        """Return rows with spans that do not end at words, and without spans if they are many."""
        return span_findings(self.tokenizer, data, self._reading())

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the windows of each text, with one label id per token."""
        return labeled_windows(
            self.tokenizer,
            examples["text"],
            examples["spans"],
            bio_labels(self.label_names),
            self._reading(),
        )

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return a model that scores ``O``, ``B-…`` and ``I-…`` for each token."""
        from transformers import AutoModelForTokenClassification

        return AutoModelForTokenClassification.from_pretrained(
            model_name, **label_maps(bio_labels(self.label_names)), **self.model_args
        )

    @property
    def pipeline_args(self) -> Any:
        """The arguments of the pipeline; a property, because the import of its class takes seconds."""
        from clx_tasks_tokens.pipeline import SpanPipeline

        return {
            "task": "token-classification",
            "pipeline_class": SpanPipeline,
            "label_names": list(self.label_names or ()),
            "tokenize_args": self.tokenize_args,
            "stride": self.stride,
            "aggregation_strategy": self.aggregation_strategy,
        }

    def load_data_collator(self) -> Any:
        """Return the collator, which pads tokens and labels."""
        from clx_tasks_tokens.trainer import SpanCollator

        return SpanCollator(super().load_data_collator(), self.tokenizer.padding_side)

    @property
    def trainer_class(self) -> Any:
        """The Trainer, whose evaluations return where in the text the tokens are."""
        from clx_tasks_tokens.trainer import SpanTrainer

        return SpanTrainer

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return precision, recall and F1 of whole spans, their macro-F1, and token accuracy."""
        texts = self._texts(eval_pred)
        expected = [text.tags for text in texts]
        predicted = [
            evaluating.predicted_tags(text, kept(text.candidates, self.thresholds))
            for text in texts
        ]
        metrics = tag_metrics(expected, predicted)
        return metrics | self.extra_metrics(expected, predicted, metrics)

    def evaluation_intervals(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return 95 % bootstrap intervals of precision, recall, F1 and macro-F1."""
        from clx.ml.intervals import span_intervals

        return span_intervals(*self._counts(eval_pred))

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return ``per_label``, ``confusion`` and ``decision_curve``."""
        texts = self._texts(eval_pred)
        return {
            **evaluating.tables(texts, self.label_names, self.thresholds),
            "decision_curve": curve(evaluating.ranked_by_label(texts, self.label_names)),
        }

    def evaluation_rows(self, eval_pred: EvalPrediction) -> pd.DataFrame:
        """Return one row per text: the expected and the predicted spans with their scores."""
        return evaluating.rows(self._texts(eval_pred), self.thresholds)

    def metric_differences(
        self, other: Any, eval_pred: EvalPrediction, other_pred: EvalPrediction
    ) -> Mapping[str, tuple[float, float, float]]:
        """Return paired bootstrap differences of precision, recall, F1 and macro-F1."""
        from clx.ml.comparing import span_difference

        order = [other.label_names.index(name) for name in self.label_names]
        hits, predicted, expected = (part[:, order] for part in other._counts(other_pred))
        return span_difference(self._counts(eval_pred), (hits, predicted, expected))

    def fit_decisions(self, eval_pred: EvalPrediction) -> None:
        """Choose a threshold for each label on the eval data, unless the user gave thresholds."""
        if self.thresholds is not None:
            return
        self.thresholds, shared = evaluating.chosen_thresholds(
            self._texts(eval_pred),
            self.label_names,
            self.threshold_objective,
            self.threshold_target,
        )
        if shared:
            warnings.warn(
                f"{len(shared)} of {len(self.label_names)} labels take the threshold of all labels "
                f"together, because the eval data has too few of their spans, "
                f"or no threshold reaches the target: "
                f"{examples(shared)}",
                ClxWarning,
                stacklevel=user_level(),
            )

    def apply_decisions(self, given: Mapping[str, Any]) -> bool:
        """Set some thresholds and keep the rest, or set the objective to choose them by."""
        super().apply_decisions(new_decisions(given, self.thresholds, self.label_names))
        return self.thresholds is None

    def post_process_prediction(self, prediction: Any) -> list[dict[str, Any]]:
        """Return the spans of a text that reach their thresholds."""
        return kept(prediction, self.thresholds)

    def decide(self, prediction: Any, min_score: float | None = None) -> Any:
        """Return the predicted spans, without those whose score is below ``min_score``."""
        return [span for span in prediction if min_score is None or span["score"] >= min_score]

    def prediction_row(
        self, prediction: Any, *, all_scores: bool = False, min_score: float | None = None
    ) -> dict[str, Any]:
        """Return the predicted spans as the column ``entities``."""
        return {"entities": self.decide(prediction, min_score)}

    def prediction_types(self, *, all_scores: bool = False) -> Mapping[str, Any]:
        """Return the types of the columns of a table of predictions."""
        span = {"start": int, "end": int, "label": str, "score": float, "text": str}
        return {"entities": [span]}

    def find_label_errors(
        self, data: Any, folds: int = 5, top: int | None = None, **reading: Any
    ) -> pd.DataFrame:
        """Return the spans that look wrong or are missing, the most suspicious first.

        Trains ``folds`` models, each of which predicts the rows that it was not trained on; the run
        itself does not change. The columns are ``text``, ``kind`` (``missing``, ``extra``, ``label``
        or ``boundary``), ``start``, ``end``, ``given``, ``suggested``, and ``score``, the probability
        of what is given; the index is the data's.

        Args:
            data: labeled data, as for ``train``.
            folds: the number of models.
            top: the number of spans to return at most; None for all suspicious ones.
            **reading: how to read the data, as for ``cross_validate``.

        Raises:
            DataFormatError: the data is not in the task's format, or has too few rows.
        """
        found = self.cross_validate(data, folds=folds, **reading).examples
        assert found is not None
        return suspicious_spans(found, top)

    def _reading(self) -> Reading:
        return Reading(self.tokenize_args, self.stride, self.aggregation_strategy != "first")

    def _texts(self, eval_pred: EvalPrediction) -> list[evaluating.Text]:
        labels = bio_labels(self.label_names)
        return evaluating.evaluated_texts(
            eval_pred, self.label_names, labels, self.aggregation_strategy
        )

    def _counts(self, eval_pred: EvalPrediction) -> tuple[Any, Any, Any]:
        return evaluating.counted(self._texts(eval_pred), self.label_names, self.thresholds)
