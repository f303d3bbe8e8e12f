"""Named entities as spans of characters: the task ``ner`` of clx."""

from clx.ml import TrainingRun
from clx.ml.data import column_problems, raise_data_problems, text_problems
from clx.ml.spans import bio_labels, span_label_names, span_metrics, span_problems, token_labels

EXPECTED = "a column 'text' and a column 'spans' of lists of {start, end, label}, end exclusive"
STRIDE = 16


class NerRun(TrainingRun):
    """Spans of a text with a label each.

    Data: columns ``text`` and ``spans``. Predictions: ``{"start", "end", "label", "score"}`` for
    each span. Texts longer than the model takes are read in windows that overlap.

    Args:
        label_names: the labels; None takes those of the training data, sorted.
        **options: the options of :class:`clx.ml.TrainingRun`.
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
        for name, place in [("Ada", "Paris"), ("Bo Li", "Rome"), ("Cy", "Oslo"), ("Di", "Bern")]:
            text, end = f"{name} lives in {place}", len(f"{name} lives in {place}")
            where = {"start": end - len(place), "end": end, "label": "place"}
            rows.append((text, [{"start": 0, "end": len(name), "label": "person"}, where]))
        return pd.DataFrame(rows, columns=["text", "spans"])

    def check_config(self):
        """Return what is wrong with the limit: windows have to be longer than their overlap."""
        limit = self.tokenize_args.get("max_length", 2 * STRIDE)
        return [] if limit >= 2 * STRIDE else [f"max_length must be at least {2 * STRIDE}"]

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

        labels = bio_labels(self.label_names)
        maps = {
            "id2label": dict(enumerate(labels)),
            "label2id": {n: i for i, n in enumerate(labels)},
        }
        return AutoModelForTokenClassification.from_pretrained(
            model_name, **maps, **self.model_args
        )

    def tokenize(self, examples):
        """Return windows of each text with a label id a token."""
        windows = {
            "return_overflowing_tokens": True,
            "return_offsets_mapping": True,
            "stride": STRIDE,
        }
        encoded = self.tokenizer(
            examples["text"], truncation=True, **{**windows, **self.tokenize_args}
        )
        labels = token_labels(encoded, examples["spans"], bio_labels(self.label_names))
        return {**encoded, "labels": labels}

    def load_data_collator(self):
        """Pad the labels as the tokens are."""
        from transformers import DataCollatorForTokenClassification

        return DataCollatorForTokenClassification(self.tokenizer)

    def compute_metrics(self, eval_pred):
        """Return precision, recall and F1 of whole spans."""
        return span_metrics(
            eval_pred.label_ids, eval_pred.predictions, bio_labels(self.label_names)
        )

    def post_process_prediction(self, prediction):
        """Return the spans of a text."""
        keys = {"start": "start", "end": "end", "label": "entity_group"}
        return [
            {k: s[v] for k, v in keys.items()} | {"score": float(s["score"])} for s in prediction
        ]
