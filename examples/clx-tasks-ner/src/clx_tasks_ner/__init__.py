"""Named entities as character spans: the task ``entities`` of clx."""

from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, text_problems
from clx.ml.labels import label_maps
from clx.ml.spans import (
    bio_labels,
    span_label_names,
    span_problems,
    span_windows,
    tag_metrics,
    tag_rows,
)

EXPECTED = "a column 'text' and a column 'spans' of lists of {start, end, label}, end exclusive"
STRIDE = 16


class NerRun(TrainingRun):
    """Labeled spans in each text.

    Data: columns ``text`` and ``spans``. Predictions: spans, each with its ``score``. Long texts are
    read in overlapping windows. ``label_names`` is by default taken from the training data, sorted.
    """

    name = "entities"
    label_column_names = ("spans",)
    add_config_attrs = label_options = ["label_names"]
    pipeline_args = {"task": "token-classification"}
    predict_args = {"aggregation_strategy": "first", "stride": STRIDE}

    @classmethod
    def sample_data(cls):
        """Return rows for trying out the task."""
        import pandas as pd

        rows = [("nobody came", []), ("it rained all day", [])]
        for who, where in [("Ada", "Paris"), ("Bo Li", "Rome"), ("Cy", "Oslo"), ("Di", "Bern")]:
            text, start = f"{who} lives in {where}", len(f"{who} lives in ")
            person = {"start": 0, "end": len(who), "label": "person"}
            rows.append((text, [person, {"start": start, "end": len(text), "label": "place"}]))
        return pd.DataFrame(rows, columns=["text", "spans"])

    def validate_data_format(self, data):
        """Raise if a column is missing or the text or the spans of a row are not valid."""
        raise_data_problems(column_problems(data, ["text", "spans"]), EXPECTED)
        raise_data_problems(text_problems(data), EXPECTED)
        raise_data_problems(span_problems(data, label_names=self.label_names), EXPECTED)

    def infer_config(self, train_data):
        """Take the labels from the data unless they are given."""
        self.label_names = self.label_names or span_label_names(train_data["spans"])

    def load_model(self, model_name=None):
        """Return a model that scores ``O``, ``B-…`` and ``I-…`` for each token."""
        from transformers import AutoModelForTokenClassification

        maps = label_maps(bio_labels(self.label_names))
        return AutoModelForTokenClassification.from_pretrained(
            model_name, **maps, **self.model_args
        )

    def tokenize(self, examples):
        """Return the windows of each text, with one label id per token."""
        texts, spans, labels = examples["text"], examples["spans"], bio_labels(self.label_names)
        return span_windows(self.tokenizer, texts, spans, labels, STRIDE, self.tokenize_args)

    def compute_metrics(self, eval_pred):
        """Return precision, recall and F1 of whole spans, and the metrics named by the user."""
        tags = tag_rows(eval_pred.label_ids, eval_pred.predictions, bio_labels(self.label_names))
        metrics = tag_metrics(*tags)
        return metrics | self.extra_metrics(*tags, metrics)

    def post_process_prediction(self, prediction):
        """Return the spans of a text."""
        keys = {"start": "start", "end": "end", "label": "entity_group"}
        return [
            {k: s[v] for k, v in keys.items()} | {"score": float(s["score"])} for s in prediction
        ]

    def prediction_types(self, *, all_scores=False):
        """Return the types of the columns of a table of predictions."""
        return {"prediction": [{"start": int, "end": int, "label": str, "score": float}]}
