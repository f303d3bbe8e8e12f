"""``Task``: what an author writes. Class attributes, and methods that a subclass overrides.

Core calls the methods with exactly these signatures, forever. The rooms of ``clx.ml`` take a ``Task``;
only ``clx.ml.run`` knows the run that users hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clx.errors import PluginError
from clx.ml.task.argument_classes import StockArguments
from clx.ml.task.option_values import OptionValues
from clx.ml.task.predicting import method_as_property, pipeline_task
from clx.ml.task.windows import windows_of

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase

    from clx.ml.task.row_finding import RowFinding
    from clx_runtime.decisions import DecisionRule


class _StockTrainer:
    """``transformers.Trainer``, imported when a task asks for it."""

    def __get__(self, instance: object, owner: type) -> type:
        from transformers import Trainer

        stock: type = Trainer
        return stock


class Task(OptionValues):
    """The author's half of :class:`clx.ml.TrainingRun`; subclass that one, which has an example."""

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    dataset_cols: ClassVar[list[str]] = ["input_ids", "attention_mask", "labels"]
    add_config_attrs: ClassVar[list[str]] = []
    pipeline_args: Any = None
    predict_args: ClassVar[dict[str, Any]] = {}
    text_columns: ClassVar[tuple[str, ...]] = ("text",)
    labels_are: ClassVar[str | None] = None
    label_column_names: ClassVar[tuple[str, ...]] = ()
    label_options: ClassVar[tuple[str, ...]] = ()
    decision_options: ClassVar[tuple[str, ...]] = ()
    trainer_class: Any = _StockTrainer()
    training_arguments_class: Any = StockArguments()
    onnx_outputs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    head_init: Any = "random"
    pooling: Any = "model"
    calibrate: Any = False
    imbalanced_metric: ClassVar[str | None] = None
    min_steps: ClassVar[int] = 200

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        method_as_property(cls)

    if TYPE_CHECKING:

        @property
        def tokenizer(self) -> PreTrainedTokenizerBase:
            """The tokenizer of the trained run, or of the base model before training."""

    def read_data(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return the user's data in the form in which the task works with it.

        Called with each frame of labeled data before :meth:`validate_data_format`, for a task that
        takes several forms. All other methods get the result. It must have the same rows and index;
        the user's frame must not change. The base returns the data itself.
        """
        return data

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise if ``data`` is not in the task's format. Every task must implement this.

        Called with the training frame, the eval frame and the frame of :meth:`evaluate`, before any
        model is loaded. The user gets its exception as a :class:`DataFormatError`.
        """
        raise PluginError(f"The task {self.name!r} does not implement validate_data_format()")

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return the model in the folder ``model_name``. Every task must implement this.

        Core passes a local folder: the base model's, or the run's ``model/``. Pass
        ``self.model_args`` to ``from_pretrained``.
        """
        raise PluginError(f"The task {self.name!r} does not implement load_model()")

    def tokenize(self, examples: dict[str, list[Any]]) -> Any:
        """Return model inputs, with ``labels``, for ``{column: values}`` of some rows.

        The base tokenizes ``text_columns`` with truncation, without padding, and with
        ``tokenize_args``. A row may have several results, as when a tokenizer returns overflowing
        tokens. Then the column ``overflow_to_sample_mapping`` says for each result which row it
        belongs to, counted from 0, and core repeats a column with one value per row accordingly. The
        base returns several results per row with ``long_text="window"``.
        """
        arguments = {"padding": False, "truncation": True, **self.tokenize_args}
        tokenizer = self.tokenizer
        windows = windows_of(self.long_text, self.window_pooling, self.tokenize_args, tokenizer)
        if windows is not None:
            arguments |= windows.arguments
        return tokenizer(*(examples[name] for name in self.text_columns), **arguments)

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return names and numbers for numpy ``(predictions, label_ids)``. The base has none."""
        return {}

    def preprocess_logits_for_metrics(self, logits: Any, labels: Any) -> Any:
        """Return the part of a batch's logits that an evaluation keeps, such as the best token.

        ``logits`` and ``labels`` are tensors of one batch; all hooks that read predictions get what
        this returns. The base keeps the logits.
        """
        return logits

    def load_tokenizer(self, tokenizer_name: str | None = None) -> PreTrainedTokenizerBase:
        """Return the tokenizer in a folder; the base takes ``AutoTokenizer`` and ensures a pad token."""
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_name, trust_remote_code=self.trust_remote_code
        )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        return tokenizer

    def load_data_collator(self) -> Any:
        """Return the collator, which makes batches; the base pads to the longest row of a batch.

        For the pipeline ``token-classification`` the base also pads the labels, one per token.
        """
        from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding

        if pipeline_task(self) == "token-classification":
            return DataCollatorForTokenClassification(self.tokenizer)
        return DataCollatorWithPadding(self.tokenizer)

    def post_process_prediction(self, prediction: Any) -> Any:
        """Return the pipeline's output for one text as users get it.

        The base asks :meth:`decision_rule`, and without a rule returns the output unchanged.
        """
        rule = self.decision_rule()
        return prediction if rule is None else rule.scores(prediction)

    @classmethod
    def sample_data(cls) -> pd.DataFrame | None:
        """Return a few rows in the task's format, for ``clx check-task`` and for readers."""
        return None

    @classmethod
    def sample_inputs(cls) -> list[Any] | None:
        """Return a few inputs of ``predict``, if the rows of :meth:`sample_data` have none.

        The base returns None: predictions are then made from the sample's ``text_columns``.
        """
        return None

    def save_extra(self, folder: Path) -> None:
        """Write the task's own files, such as a word list, into an empty folder.

        Called by ``train`` before the run is complete. The folder becomes ``run.extra_dir``, and the
        manifest covers it. Write nothing that has to be unpickled. The base writes nothing.
        """

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Set config attributes that come from the data, such as label names.

        Called once by ``train``, with the validated training frame, before the eval frame is
        validated. The base does nothing.
        """

    def row_labels(self, data: pd.DataFrame) -> list[Any] | None:
        """Return each row's label name, or list of names, for the check of the data.

        Called by ``train`` and ``check`` with validated frames. The base has no labels: None.
        """
        return None

    def label_cells(self, data: pd.DataFrame, labels: dict[int, Any]) -> Mapping[Any, Any] | None:
        """Return the label columns with other labels, or lists of labels, in the rows ``labels``.

        ``labels`` has them by position; :func:`clx.ml.data.relabeled_cells` makes the cells. Called by
        ``correct_labels``, before :meth:`read_data`. The base returns None: clx changes no labels.
        """
        return None

    def row_probabilities(self, data: pd.DataFrame) -> Any:
        """Return the probability of each label in each row, shape (rows, labels), or None.

        Called with validated frames, after :meth:`infer_config`. The probe, the loss and the metrics
        use the probabilities beside the labels of :meth:`tokenize`, which are then the likeliest
        ones. :func:`clx.ml.data.label_probabilities` makes them from a column. The base returns
        None: each label is certain.
        """
        return None

    def data_findings(self, data: pd.DataFrame) -> list[RowFinding]:
        """Return what the check of the data reports about rows of this task, besides core's findings.

        Called by ``train`` and ``check`` with validated frames. The base has none.
        """
        return []

    def check_config(self) -> list[str]:
        """Return the problems of the task's own options, as sentences; users see all of them."""
        return []

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return tables for ``EvaluationResult.tables``, for instance ``per_label``."""
        return {}

    def evaluation_intervals(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return ``{key}_low`` and ``{key}_high`` for metrics of a finished evaluation."""
        return {}

    def evaluation_rows(self, eval_pred: EvalPrediction) -> pd.DataFrame | None:
        """Return one row per example: the expected label, the predicted one, and whether they agree.

        The columns are ``given``, ``predicted``, ``score`` (of the prediction), ``given_score`` (of
        the expected label) and ``correct``. Comparisons and the report need them. The base returns
        None.
        """
        return None

    def metric_differences(
        self, other: Any, eval_pred: EvalPrediction, other_pred: EvalPrediction
    ) -> Mapping[str, tuple[float, float, float]]:
        """Return ``{metric: (other - own, low, high)}`` for another run's predictions of the same rows.

        ``other`` is that run. ``low`` and ``high`` bound the 95 % interval of the difference.
        """
        return {}

    def fit_decisions(self, eval_pred: EvalPrediction) -> None:
        """Set config attributes that turn scores into decisions, such as thresholds.

        Called once by ``train`` when there is eval data, with the predictions of the finished model.
        """

    def apply_decisions(self, given: Mapping[str, Any]) -> bool:
        """Set ``decision_options`` to a user's values; return whether data must choose other options.

        Called by ``set_decisions`` on a trained run, before :meth:`fit_decisions` if this returns
        True. The base sets an attribute for each value. Without values, everything is chosen again.
        """
        for name, value in given.items():
            setattr(self, name, value)
        return not given

    def decision_rule(self) -> DecisionRule | None:
        """Return how a decision follows from the scores, one of :mod:`clx.ml.decisions`.

        An exported model decides by this rule where the task is not installed. The base has none: the
        decision is then what :meth:`decide` and :meth:`prediction_row` compute.
        """
        return None

    def decide(self, prediction: Any, min_score: float | None = None) -> Any:
        """Return the decision: a label's name, a list of names, or None to abstain.

        ``min_score`` comes from the caller and overrides what the run has learned. The base asks
        :meth:`decision_rule`, and without a rule returns the prediction.
        """
        rule = self.decision_rule()
        return prediction if rule is None else rule.decide(prediction, min_score)

    def prediction_row(
        self, prediction: Any, *, all_scores: bool = False, min_score: float | None = None
    ) -> dict[str, Any]:
        """Return a prediction as columns for :meth:`predict_frame` and :meth:`predict_file`.

        The base asks :meth:`decision_rule`. Without a rule it makes each key of a dict a column, and
        puts anything else into ``prediction``.
        """
        rule = self.decision_rule()
        if rule is not None:
            return rule.row(prediction, all_scores=all_scores, min_score=min_score)
        return dict(prediction) if isinstance(prediction, dict) else {"prediction": prediction}

    def prediction_types(self, *, all_scores: bool = False) -> Mapping[str, Any] | None:
        """Return the type of each column of :meth:`prediction_row`, or None if clx must find it out.

        A type is ``str``, ``int``, ``float`` or ``bool``, a list of one type, a dict of types, or
        ``object`` for any JSON value. Each cell may also be None. The base returns the types of
        :meth:`decision_rule` if that makes the rows, else None: clx then predicts some sample texts,
        which needs the model. See :class:`clx.batch.Predictor`.
        """
        rule = self.decision_rule()
        if rule is None or type(self).prediction_row is not Task.prediction_row:
            return None
        return rule.column_types(all_scores=all_scores)
