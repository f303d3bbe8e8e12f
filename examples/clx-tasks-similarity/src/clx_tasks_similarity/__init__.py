"""How similar two texts are: the task ``similarity`` of clx."""

import json

from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, row_problems, text_problems

EXPECTED = (
    "columns 'first' and 'second' of strings and a column 'similarity' of numbers from 0 to 1"
)
QUANTILES = "quantiles.json"


class SimilarityRun(TrainingRun):
    """A similarity from 0 to 1 for each pair of texts, read together (a cross-encoder).

    Data: columns ``first``, ``second`` and ``similarity``. Predictions: the ``similarity`` and its
    ``rank``, the fraction of training pairs that are less similar.

    Args:
        symmetric: whether to train on each pair in both orders.
        **options: the options of :class:`clx.ml.TrainingRun`.
    """

    name = "similarity"
    dataset_cols = ["input_ids", "attention_mask", "token_type_ids", "labels"]
    add_config_attrs = ["symmetric"]
    symmetric = False
    quantiles = None
    text_columns = ("first", "second")
    label_column_names = ("similarity",)
    pipeline_args = {"task": "text-classification"}
    predict_args = {"function_to_apply": "sigmoid"}

    @classmethod
    def sample_data(cls):
        """Return rows for trying out the task."""
        import pandas as pd

        alike = [("an apple", "a red apple"), ("ripe pear", "a pear"), ("apple pie", "apple cake")]
        other = [("old boat", "new door"), ("a ship", "the house"), ("new boat", "old house")]
        rows = [(*pair, 1.0) for pair in alike] + [(*pair, 0.0) for pair in other]
        return pd.DataFrame(rows, columns=["first", "second", "similarity"])

    @property
    def trainer_class(self):
        """The Trainer with the custom loss, imported only when training begins."""
        from clx_tasks_similarity.trainer import PairTrainer

        return PairTrainer

    def check_config(self):
        """Return the problems of the option ``symmetric``."""
        return [] if isinstance(self.symmetric, bool) else ["symmetric must be true or false"]

    def validate_data_format(self, data):
        """Raise if a column is missing or a text or the similarity of a row is not valid."""
        raise_data_problems(column_problems(data, [*self.text_columns, "similarity"]), EXPECTED)
        values = data["similarity"].tolist()
        wrong = [not isinstance(value, int | float) or not 0 <= value <= 1 for value in values]
        what = "column 'similarity': not a number from 0 to 1"
        problems = [p for column in self.text_columns for p in text_problems(data, column)]
        raise_data_problems([*problems, *row_problems(data, wrong, what, values)], EXPECTED)

    def infer_config(self, train_data):
        """Store the quantiles of the training similarities."""
        points = [number / 100 for number in range(101)]
        self.quantiles = train_data["similarity"].quantile(points).tolist()

    def load_model(self, model_name=None):
        """Return a model with one output."""
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification.from_pretrained(
            model_name, num_labels=1, **self.model_args
        )

    def tokenize(self, examples):
        """Return the tokenized pairs, each in both orders if ``symmetric`` is set."""
        labels = [float(value) for value in examples["similarity"]]
        if not self.symmetric:
            return {**super().tokenize(examples), "labels": labels}
        rows = [row for row in range(len(labels)) for _ in "12"]
        both = {
            column: [examples[(column, other)[i % 2]][row] for i, row in enumerate(rows)]
            for column, other in (self.text_columns, self.text_columns[::-1])
        }
        doubled = [labels[row] for row in rows]
        return {**super().tokenize(both), "labels": doubled, "overflow_to_sample_mapping": rows}

    def load_data_collator(self):
        """Pad to multiples of eight, which is faster on GPUs."""
        from transformers import DataCollatorWithPadding

        return DataCollatorWithPadding(self.tokenizer, pad_to_multiple_of=8)

    def compute_metrics(self, eval_pred):
        """Return the mean absolute error and Spearman's rank correlation."""
        import numpy as np
        import pandas as pd

        predicted = 1 / (1 + np.exp(-eval_pred.predictions.reshape(-1).astype(float)))
        expected = eval_pred.label_ids
        ranks = np.corrcoef(pd.Series(predicted).rank(), pd.Series(expected).rank())[0, 1]
        return {"mae": abs(predicted - expected).mean(), "spearman": np.nan_to_num(ranks)}

    def save_extra(self, folder):
        """Save the quantiles with the run."""
        (folder / QUANTILES).write_text(json.dumps(self.quantiles), encoding="utf-8")

    def post_process_prediction(self, prediction):
        """Return the similarity and its rank among the training pairs."""
        if self.quantiles is None:
            self.quantiles = json.loads((self.extra_dir / QUANTILES).read_text(encoding="utf-8"))
        entry = prediction[0] if isinstance(prediction, list) else prediction
        below = sum(value < entry["score"] for value in self.quantiles)
        return {"similarity": entry["score"], "rank": below / len(self.quantiles)}
