"""Named entities as spans of characters: the task ``ner`` of clx."""

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
    """Spans of a text with a label each.

    Data: columns ``text`` and ``spans``. Predictions: a list of spans, each with its ``score``. Texts
    longer than the model takes are read in windows that overlap. The option ``label_names`` is the
    labels; None takes those of the training data, sorted.
    """

    name = "ner"
    add_config_attrs = ["label_names"]
    pipeline_args = {"task": "token-classification"}
    predict_args = {"aggregation_strategy": "first", "stride": STRIDE}

    @classmethod
    def sample_data(cls):
        """Return rows to try the task with."""
        import pandas as pd

        rows = [("nobody came", []), ("it rained all day", [])]
        for who, where in [("Ada", "Paris"), ("Bo Li", "Rome"), ("Cy", "Oslo"), ("Di", "Bern")]:
            text, start = f"{who} lives in {where}", len(f"{who} lives in ")
            person = {"start": 0, "end": len(who), "label": "person"}
            rows.append((text, [person, {"start": start, "end": len(text), "label": "place"}]))
        return pd.DataFrame(rows, columns=["text", "spans"])

    def validate_data_format(self, data):
        """Raise if a column is missing, or a row has no text or spans that do not fit it."""
        raise_data_problems(column_problems(data, ["text", "spans"]), EXPECTED)
        raise_data_problems(text_problems(data), EXPECTED)
        raise_data_problems(span_problems(data, label_names=self.label_names), EXPECTED)

    def infer_config(self, train_data):
        """Take the labels from the data, unless they were given."""
        self.label_names = self.label_names or span_label_names(train_data["spans"])

    def load_model(self, model_name=None):
        """Return a model with an output a token for ``O``, ``B-…`` and ``I-…``."""
        from transformers import AutoModelForTokenClassification

        maps = label_maps(bio_labels(self.label_names))
        return AutoModelForTokenClassification.from_pretrained(
            model_name, **maps, **self.model_args
        )

    def tokenize(self, examples):
        """Return windows of each text with a label id a token."""
        texts, spans, labels = examples["text"], examples["spans"], bio_labels(self.label_names)
        return span_windows(self.tokenizer, texts, spans, labels, STRIDE, self.tokenize_args)

    def compute_metrics(self, eval_pred):
        """Return precision, recall and F1 of whole spans, and what the option ``metrics`` adds."""
        tags = tag_rows(eval_pred.label_ids, eval_pred.predictions, bio_labels(self.label_names))
        metrics = tag_metrics(*tags)
        return metrics | self.extra_metrics(*tags, metrics)

    def post_process_prediction(self, prediction):
        """Return the spans of a text."""
        keys = {"start": "start", "end": "end", "label": "entity_group"}
        return [
            {k: s[v] for k, v in keys.items()} | {"score": float(s["score"])} for s in prediction
        ]
