"""What a task defines: the class attributes and the methods that an author overrides.

The methods are called with exactly these signatures. Everything else of a run is framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from clx.errors import PluginError

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase


class _StockTrainer:
    """``transformers.Trainer``, imported when it is asked for."""

    def __get__(self, instance: object, owner: type) -> type:
        from transformers import Trainer

        stock: type = Trainer
        return stock


class Task:
    """The part of :class:`clx.ml.TrainingRun` that a task overrides; its docstring has an example."""

    name: ClassVar[str] = ""
    aliases: ClassVar[tuple[str, ...]] = ()
    dataset_cols: ClassVar[list[str]] = ["input_ids", "attention_mask", "labels"]
    add_config_attrs: ClassVar[list[str]] = []
    pipeline_args: ClassVar[dict[str, Any]] = {}
    predict_args: ClassVar[dict[str, Any]] = {}
    text_columns: ClassVar[tuple[str, ...]] = ("text",)
    trainer_class: Any = _StockTrainer()
    head_init: Any = "random"
    pooling: Any = "model"
    calibrate: Any = False
    imbalanced_metric: ClassVar[str | None] = None

    # Set by TrainingRun.__init__; here for what the methods below use.
    tokenize_args: dict[str, Any]
    long_text: str
    model_args: dict[str, Any]
    trust_remote_code: bool

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer: of the trained run, else of the base model."""
        raise PluginError("a tokenizer is had from a TrainingRun only")

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise if ``data`` is not in the task's format. Every task has to implement this.

        Called with the training frame, the eval frame and the frame of :meth:`evaluate`, before any
        model is loaded. What it raises reaches the user as a :class:`DataFormatError`.
        """
        raise PluginError(f"The task {self.name!r} does not implement validate_data_format()")

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return the model in the folder ``model_name``. Every task has to implement this.

        Core passes a local folder, the base model's or the run's ``model/``. Pass
        ``self.model_args`` to ``from_pretrained``.
        """
        raise PluginError(f"The task {self.name!r} does not implement load_model()")

    def tokenize(self, examples: dict[str, list[Any]]) -> Any:
        """Return model inputs, with ``labels``, for ``{column: values}`` of some rows.

        The base tokenises ``text_columns`` with truncation, no padding and ``tokenize_args``. There
        may be several results a row, as when a tokenizer returns overflowing tokens: then the
        column ``overflow_to_sample_mapping`` says of each which row, counted from 0, it is of, and
        a column with one value a row is repeated accordingly. The base returns several with
        ``long_text="window"``.
        """
        from clx.ml.data.windows import windows_of

        arguments = {"padding": False, "truncation": True, **self.tokenize_args}
        windows = windows_of(self)
        if windows is not None:
            arguments |= windows.arguments
        return self.tokenizer(*(examples[name] for name in self.text_columns), **arguments)

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return names and numbers for numpy ``(predictions, label_ids)``. The base has none."""
        return {}

    def load_tokenizer(self, tokenizer_name: str | None = None) -> PreTrainedTokenizerBase:
        """Return the tokenizer in a folder; the base takes ``AutoTokenizer`` and ensures a pad token."""
        from transformers import AutoTokenizer

        from clx.ml.model.base_models import ensure_pad_token

        return ensure_pad_token(
            AutoTokenizer.from_pretrained(tokenizer_name, trust_remote_code=self.trust_remote_code)
        )

    def load_data_collator(self) -> Any:
        """Return what makes a batch of rows; the base pads to the longest of the batch.

        For the pipeline ``token-classification`` the base pads the labels, one a token, too.
        """
        from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding

        if self.pipeline_args["task"] == "token-classification":
            return DataCollatorForTokenClassification(self.tokenizer)
        return DataCollatorWithPadding(self.tokenizer)

    def post_process_prediction(self, prediction: Any) -> Any:
        """Return the user's form of what the pipeline gave for one text; the base changes nothing."""
        return prediction

    @classmethod
    def sample_data(cls) -> pd.DataFrame | None:
        """Return a few rows in the task's format: for ``clx check-task`` and for who reads the task."""
        return None

    def save_extra(self, folder: Path) -> None:
        """Write files of the task's own, such as a word list, into an empty folder.

        Called by ``train`` before the run is complete. The folder becomes ``run.extra_dir``; the
        manifest covers it. Nothing that has to be unpickled. The base writes nothing.
        """

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Set config attributes that come from the data, such as label names.

        Called once by ``train``, with the validated training frame, before the eval frame is
        validated. The base does nothing.
        """

    def row_labels(self, data: pd.DataFrame) -> list[Any] | None:
        """Return of each row its label's name, or a list of names, for the check of the data.

        Called by ``train`` and ``check`` with validated frames. The base has no labels: None.
        """
        return None

    def check_config(self) -> list[str]:
        """Return what is wrong with the task's own options, as sentences; all are shown together."""
        return []

    def evaluation_tables(self, eval_pred: EvalPrediction) -> dict[str, pd.DataFrame]:
        """Return tables for ``EvaluationResult.tables``, for instance ``per_label``."""
        return {}

    def evaluation_intervals(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return ``{key}_low`` and ``{key}_high`` for metrics of a finished evaluation."""
        return {}

    def evaluation_rows(self, eval_pred: EvalPrediction) -> pd.DataFrame | None:
        """Return a row an example: what was given, what was predicted, and whether that is right.

        Columns: ``given``, ``predicted``, ``score`` (of the prediction), ``given_score`` (of what was
        given) and ``correct``. Comparisons and the report need it; the base has none.
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

    def decide(self, prediction: Any, min_score: float | None = None) -> Any:
        """Return what is chosen: a label's name, a list of names, or None to abstain.

        ``min_score`` is the caller's, over what the run has learnt. The base returns the prediction.
        """
        return prediction

    def prediction_row(
        self, prediction: Any, *, all_scores: bool = False, min_score: float | None = None
    ) -> dict[str, Any]:
        """Return a prediction as columns for :meth:`predict_frame` and :meth:`predict_file`.

        The base makes a dict's keys columns, and anything else one column ``prediction``.
        """
        return dict(prediction) if isinstance(prediction, dict) else {"prediction": prediction}
