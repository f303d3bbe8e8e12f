"""A number for a text: the task ``rating`` of clx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, row_problems, text_problems

if TYPE_CHECKING:
    import pandas as pd
    from transformers import EvalPrediction, PreTrainedModel

EXPECTED = "a column 'text' of strings and a column 'score' of finite numbers"


class RatingRun(TrainingRun):
    """A number for each text, such as the stars of a review.

    Data: a column ``text`` of strings and a column ``score`` of numbers. Predictions:
    ``{"score": 4.2}``, always within the scale.

    Args:
        scale: the lowest and the highest score. None takes them from the training data.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "rating"
    label_column_names = ("score",)
    add_config_attrs = ["scale"]
    pipeline_args = {"task": "text-classification"}
    predict_args = {"function_to_apply": "none"}
    scale: Any = None

    @classmethod
    def sample_data(cls) -> pd.DataFrame:
        """Return rows for trying out the task."""
        import pandas as pd

        good = ["wonderful and clever", "a great joy", "great acting, wonderful music"]
        bad = ["dull and awful", "a poor bore", "poor acting, awful music"]
        rows = [(text, 5.0) for text in good] + [(text, 1.0) for text in bad] + [("neither", 3)]
        return pd.DataFrame(rows, columns=["text", "score"])

    def check_config(self) -> list[str]:
        """Return the problems of the option ``scale``."""
        scale = self.scale
        if scale is None:
            return []
        is_pair = isinstance(scale, list | tuple) and len(scale) == 2
        if not is_pair or not all(map(_is_number, scale)) or scale[0] >= scale[1]:
            return [f"scale must be [lowest, highest], such as [1, 5], but is {scale!r}"]
        return []

    def validate_data_format(self, data: pd.DataFrame) -> None:
        """Raise if a column is missing or the text or the score of a row is not valid."""
        raise_data_problems(column_problems(data, ["text", "score"]), EXPECTED)
        scores = data["score"].tolist()
        wrong = [not _is_number(score) for score in scores]
        problems = row_problems(data, wrong, "column 'score': not a finite number", scores)
        if self.scale is not None and not problems:
            low, high = self.scale
            off = [not low <= score <= high for score in scores]
            problems = row_problems(data, off, f"column 'score': not from {low} to {high}", scores)
        raise_data_problems([*text_problems(data), *problems], EXPECTED)

    def infer_config(self, train_data: pd.DataFrame) -> None:
        """Take the scale from the data unless it is given."""
        if self.scale is None:
            low, high = float(train_data["score"].min()), float(train_data["score"].max())
            self.scale = [low, high if high > low else low + 1]

    def load_model(self, model_name: str | None = None) -> PreTrainedModel:
        """Return a model with one output."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            model_name, num_labels=1, problem_type="regression", **self.model_args
        )

    def tokenize(self, examples: dict[str, list[Any]]) -> dict[str, Any]:
        """Return the tokenized texts and the scores, scaled to the range 0 to 1."""
        low, high = self.scale
        labels = [(float(score) - low) / (high - low) for score in examples["score"]]
        return {**super().tokenize(examples), "labels": labels}

    def compute_metrics(self, eval_pred: EvalPrediction) -> dict[str, float]:
        """Return the mean absolute and the root mean squared error, in units of the score."""
        predictions, labels = eval_pred
        errors = (predictions.reshape(-1).clip(0, 1) - labels) * (self.scale[1] - self.scale[0])
        return {"mae": abs(errors).mean(), "rmse": (errors**2).mean() ** 0.5}

    def post_process_prediction(self, prediction: Any) -> dict[str, float]:
        """Return ``{"score": …}`` from the pipeline's entry, which may be in a list of one."""
        entry = prediction[0] if isinstance(prediction, list) else prediction
        low, high = self.scale
        return {"score": low + min(max(entry["score"], 0.0), 1.0) * (high - low)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
