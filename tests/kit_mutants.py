"""Faults that authors make, each planted in a correct task, and the check that must find it.

A mutant is the source of an example with one piece of text replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def source(example: str) -> str:
    """Return the source of an example's task."""
    package = EXAMPLES / f"clx-tasks-{example}" / "src" / f"clx_tasks_{example}"
    return (package / "__init__.py").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Mutant:
    """One fault: ``old`` is replaced by ``new`` in the source of ``example``."""

    fault: str
    check: str
    old: str
    new: str
    example: str = "rating"

    def write(self, folder: Path) -> Path:
        """Write the mutant as a module and return its path."""
        text = source(self.example)
        assert text.count(self.old) >= 1, f"{self.fault}: {self.old!r} is not in the example"
        name = "".join(letter if letter.isalnum() else "_" for letter in self.fault)
        path = folder / f"mutant_{name}.py"
        path.write_text(text.replace(self.old, self.new, 1) + HELPERS, encoding="utf-8")
        return path


_VALIDATE = 'raise_data_problems(column_problems(data, ["text", "score"]), EXPECTED)'
_POST = '        return {"score": low + min(max(entry["score"], 0.0), 1.0) * (high - low)}'
_INIT = """    def __init__(self, *args, scale=None, **options):
        super().__init__(*args, **options)
        self.scale = scale

    def check_config"""

MUTANTS = [
    # ---- The class -------------------------------------------------------------------------------
    Mutant("no name", "attributes", '    name = "rating"\n', ""),
    Mutant(
        "pipeline_args without a task",
        "attributes",
        '{"task": "text-classification"}',
        '{"top_k": 1}',
    ),
    Mutant(
        "load_model with a different signature",
        "signatures",
        "def load_model(self, model_name: str | None = None)",
        "def load_model(self)",
    ),
    Mutant(
        "post_process_prediction with a second argument",
        "signatures",
        "def post_process_prediction(self, prediction: Any)",
        "def post_process_prediction(self, prediction: Any, text: str)",
    ),
    Mutant(
        "__init__ that does not pass options to the base class",
        "base_options",
        "    def check_config",
        _INIT.replace("**options)\n        self", ")\n        self"),
    ),
    Mutant(
        "an option that is not kept",
        "own_options",
        "    def check_config",
        _INIT.replace("self.scale = scale", "self.scale = None"),
    ),
    Mutant(
        "a private module of core",
        "public_names",
        "from clx.ml import TrainingRun\n",
        "from clx.ml.run.run import TrainingRun\n",
    ),
    Mutant(
        "a private attribute of core",
        "public_names",
        "        low, high = self.scale\n        return",
        "        low, high = self.scale\n        self._clx_loaded.tokenizer\n        return",
    ),
    # ---- Data ------------------------------------------------------------------------------------
    Mutant(
        "text_columns with a missing column",
        "sample_texts",
        "    scale: Any = None\n",
        '    scale: Any = None\n    text_columns = ("review",)\n',
    ),
    Mutant(
        "text_columns with a column of lists",
        "sample_texts",
        '    name = "entities"\n',
        '    name = "entities"\n    text_columns = ("spans",)\n',
        "ner",
    ),
    Mutant("no validation", "bad_frames", "        " + _VALIDATE, "        return"),
    Mutant(
        "missing texts are accepted",
        "bad_frames",
        "[*text_problems(data), *problems]",
        "problems",
    ),
    Mutant(
        "missing labels are accepted",
        "bad_frames",
        "        wrong = [not _is_number(score) for score in scores]",
        "        wrong = [isinstance(score, str) for score in scores]",
    ),
    Mutant(
        "a KeyError for a missing column",
        "bad_frames",
        "        " + _VALIDATE,
        '        data["text"], data["score"]',
    ),
    Mutant(
        "a message that names no column",
        "bad_frames",
        "        " + _VALIDATE,
        '        if not {"text", "score"} <= set(data): raise ValueError("the data is wrong")',
    ),
    Mutant(
        "validation that loads the tokenizer",
        "bad_frames",
        "        " + _VALIDATE,
        '        if not {"text", "score"} <= set(data): self.tokenizer\n        ' + _VALIDATE,
    ),
    Mutant(
        "extra columns are rejected",
        "good_frames",
        "        " + _VALIDATE,
        '        if len(data.columns) > 2: raise ValueError("text and score only")\n        '
        + _VALIDATE,
    ),
    Mutant(
        "an index that does not count from 0 is rejected",
        "good_frames",
        '        scores = data["score"].tolist()',
        '        scores = [data["score"].loc[i] for i in range(len(data))]',
    ),
    Mutant(
        "validation that modifies the user's frame",
        "frames_untouched",
        '        scores = data["score"].tolist()',
        '        data["text"] = data["text"].str.upper()\n        scores = data["score"].tolist()',
    ),
    Mutant(
        "inferred options that differ each time",
        "same_data_same_config",
        "            self.scale = [low,",
        "            import random\n            self.scale = [low - random.random(),",
    ),
    # ---- Tokenizing ------------------------------------------------------------------------------
    Mutant(
        "no labels for the model",
        "learns",
        'return {**super().tokenize(examples), "labels": labels}',
        "return super().tokenize(examples)",
    ),
    Mutant(
        "labels from other rows",
        "rows_alone",
        'for score in examples["score"]]\n',
        'for score in sorted(examples["score"])]\n',
    ),
    Mutant(
        "tokenize_args are ignored",
        "tokenize_args",
        "**super().tokenize(examples)",
        '**self.tokenizer(examples["text"], truncation=True)',
    ),
    Mutant(
        "long texts are not truncated",
        "tokenize_args",
        "**super().tokenize(examples)",
        '**self.tokenizer(examples["text"], **self.tokenize_args)',
    ),
    Mutant(
        "one label too few",
        "labels",
        "        return span_windows(self.tokenizer, texts, spans, labels, STRIDE, self.tokenize_args)",
        "        w = span_windows(self.tokenizer, texts, spans, labels, STRIDE, self.tokenize_args)\n"
        '        return {**w, "labels": [line[:-1] for line in w["labels"]]}',
        "ner",
    ),
    # ---- Model -----------------------------------------------------------------------------------
    Mutant(
        "a loss with zero gradients",
        "learns",
        "    scale: Any = None\n",
        "    scale: Any = None\n    trainer_class = property(lambda self: _stuck())\n",
    ),
    Mutant(
        "the base model is loaded instead of the trained one",
        "saved_is_trained",
        "            model_name, num_labels=1,",
        "            self.base_model_name, num_labels=1,",
    ),
    Mutant("model_args are ignored", "model_args", ", **self.model_args\n", "\n"),
    Mutant(
        "a model class that plain transformers does not have",
        "plain_transformers",
        "        return AutoModelForSequenceClassification.from_pretrained(",
        "        return _own_class().from_pretrained(",
    ),
    Mutant(
        "labels without names",
        "labels_survive",
        "model_name, **maps, **self.model_args",
        "model_name, num_labels=len(maps['id2label']), **self.model_args",
        "ner",
    ),
    Mutant(
        "label names stored on the class",
        "class_untouched",
        "        self.label_names = self.label_names or span_label_names",
        "        type(self).found = self.label_names = self.label_names or span_label_names",
        "ner",
    ),
    Mutant(
        "metrics that are not numbers",
        "learns",
        'return {"mae": abs(errors).mean(),',
        'return {"mae": "good",',
    ),
    Mutant(
        "metrics that differ each time",
        "metrics",
        'return {"mae": abs(errors).mean(),',
        'import time\n        return {"mae": time.perf_counter() % 1,',
    ),
    Mutant(
        "metrics that are not finite",
        "metrics",
        'return {"mae": abs(errors).mean(),',
        'return {"mae": float("nan"),',
    ),
    Mutant(
        "a pickle in the run directory",
        "no_pickle",
        "    def check_config",
        "    def save_extra(self, folder):\n"
        "        import pickle\n"
        '        (folder / "scale").write_bytes(pickle.dumps(self.scale))\n\n'
        "    def check_config",
    ),
    Mutant(
        "resuming gives a different model",
        "resumes",
        "            self.scale = [low,",
        # A count, not chance: two trainings never draw the same.
        "            RatingRun.made = getattr(RatingRun, 'made', 0) + 1\n"
        "            self.scale = [low - RatingRun.made / 7,",
    ),
    # ---- Prediction ------------------------------------------------------------------------------
    Mutant(
        "predictions that depend on their neighbors",
        "order_and_batches",
        _POST,
        "        self.seen = getattr(self, 'seen', 0) + 1\n"
        + _POST.replace("low +", "self.seen +"),
    ),
    Mutant(
        "predictions that change after the first call",
        "asked_again",
        _POST,
        "        self.scale = [low, high + 1]\n" + _POST,
    ),
    Mutant(
        "a text without spans raises",
        "predicts",
        '        keys = {"start"',
        '        first = prediction[0]\n        keys = {"start"',
        "ner",
    ),
    Mutant(
        "numpy values",
        "json_values",
        '{"score": low +',
        '{"score": __import__("numpy").float32(low) +',
    ),
    Mutant(
        "no truncation in the pipeline",
        "odd_texts",
        'predict_args = {"function_to_apply": "none"}',
        'predict_args = {"function_to_apply": "none", "truncation": False}',
    ),
    Mutant(
        "a prediction_row that is not a dict",
        "json_values",
        "    def post_process_prediction",
        "    def prediction_row(self, prediction, *, all_scores=False, min_score=None):\n"
        "        return [prediction]\n\n    def post_process_prediction",
    ),
    Mutant(
        "a prediction_row without columns",
        "frames",
        "    def post_process_prediction",
        "    def prediction_row(self, prediction, *, all_scores=False, min_score=None):\n"
        "        return {}\n\n    def post_process_prediction",
    ),
    Mutant(
        "prediction_types that are not those of the predictions",
        "types",
        "    def post_process_prediction",
        "    def prediction_types(self, *, all_scores=False):\n"
        '        return {"score": int}\n\n    def post_process_prediction',
    ),
    Mutant(
        "state that is not saved",
        "learns",
        '    add_config_attrs = ["scale"]',
        "    add_config_attrs = []",
    ),
    Mutant(
        "a file outside the run directory",
        "moved_and_reopened",
        "(self.extra_dir / QUANTILES)",
        '(self.run_dir_parent / "checked" / "extra" / QUANTILES)',
        "similarity",
    ),
    Mutant(
        "an option that loads with another value",
        "config_round_trip",
        "    def check_config",
        _INIT.replace("self.scale = scale", "self.scale = scale and [scale[0], scale[1] + 1]"),
    ),
    Mutant(
        "an import of torch",
        "quick_import",
        "from clx.ml import TrainingRun\n",
        "import torch\n\nfrom clx.ml import TrainingRun\n",
    ),
]

HELPERS = """

def _stuck():
    from transformers import Trainer

    class Stuck(Trainer):
        def compute_loss(self, *args, **kwargs):
            outputs = super().compute_loss(*args, **kwargs)
            loss = outputs[0] if isinstance(outputs, tuple) else outputs
            stuck = loss.detach() + 0 * loss
            return (stuck, *outputs[1:]) if isinstance(outputs, tuple) else stuck

    return Stuck


def _own_class():
    from transformers import BertForSequenceClassification

    class MyBert(BertForSequenceClassification):
        pass

    return MyBert
"""
"""Helpers that some mutants call; appended to every mutant."""
