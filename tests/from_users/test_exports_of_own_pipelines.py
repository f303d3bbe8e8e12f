"""Somebody's tasks had pipelines of their own, and could be exported for no backend at all.

Such a task names the outputs that its pipeline reads. The pipeline then runs with the exported model.
"""

import copy

import pandas as pd
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    Pipeline,
)

from clx.errors import ExportError, UnknownArgumentError
from clx.ml import TrainingRun, task_registry, training_run
from clx.ml.task.checks import task_problems
from clx_runtime import load

pytest.importorskip("onnxruntime")

TEXTS = ["the cat eats an apple", "a big dog", "a", "one red melon and a grape and a goat"]
ARGS = {"max_steps": 1, "disable_tqdm": True}


class TagPipeline(Pipeline):
    """The best tag of each token."""

    def _sanitize_parameters(self, **_):
        return {}, {}, {}

    def preprocess(self, inputs):
        return self.tokenizer(inputs, return_tensors="pt")

    def _forward(self, model_inputs):
        mask = model_inputs["attention_mask"]
        return {"logits": self.model(**model_inputs).logits, "mask": mask}

    def postprocess(self, outputs):
        scores = outputs["logits"][0][outputs["mask"][0].bool()].softmax(dim=-1)
        best = scores.argmax(dim=-1).tolist()
        return [
            {"tag": tag, "score": float(row[tag])} for tag, row in zip(best, scores, strict=True)
        ]


class TagRun(TrainingRun):
    name = "own-tags"
    pipeline_args = {"task": "token-classification", "pipeline_class": TagPipeline}
    onnx_outputs = {"logits": ("texts", "tokens", "labels")}

    def validate_data_format(self, data):
        pass

    def load_model(self, model_name=None):
        return AutoModelForTokenClassification.from_pretrained(model_name, num_labels=3)

    def tokenize(self, examples):
        rows = super().tokenize(examples)
        return {**rows, "labels": [[i % 3 for i in ids] for ids in rows["input_ids"]]}


class StockTags(TagRun):
    name = "stock-tags"
    pipeline_args = {"task": "token-classification"}


class PairPipeline(Pipeline):
    """A number for two texts."""

    def _sanitize_parameters(self, **_):
        return {}, {}, {}

    def preprocess(self, inputs):
        return self.tokenizer(inputs["text"], inputs["text_pair"], return_tensors="pt")

    def _forward(self, model_inputs):
        return {"logits": self.model(**model_inputs)["logits"]}

    def postprocess(self, outputs):
        return {"close": float(outputs["logits"][0, 0])}


class PairRun(TagRun):
    name = "own-pairs"
    text_columns = ("one", "other")
    pipeline_args = {"task": "text-classification", "pipeline_class": PairPipeline}
    onnx_outputs = {"logits": ("texts", "labels")}

    def load_model(self, model_name=None):
        return AutoModelForSequenceClassification.from_pretrained(model_name, num_labels=1)

    def tokenize(self, examples):
        labels = [float(len(text)) for text in examples["one"]]
        return {**TrainingRun.tokenize(self, examples), "labels": labels}


@pytest.fixture
def registered():
    """Register the tasks, so that their runs can be opened."""
    tasks = (TagRun, StockTags, PairRun)
    for task in tasks:
        task_registry.register(task)
    yield
    for task in tasks:
        task_registry.unregister(task.name)


def trained(task, base):
    run = task(task.name, base_model_name=base, training_args=ARGS)
    run.train(pd.DataFrame({"text": TEXTS, "one": TEXTS, "other": TEXTS[::-1]}))
    return run


def numbers(value):
    """Return a value with every number rounded, so that equal predictions are equal."""
    if isinstance(value, dict):
        return {name: numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [numbers(each) for each in value]
    return pytest.approx(float(value), abs=1e-4) if hasattr(value, "__float__") else value


@pytest.mark.parametrize("task", [TagRun, StockTags, PairRun])
def test_predictions_are_those_of_torch(tiny_model, registered, task):
    run = trained(task, tiny_model)
    rows = TEXTS if task is not PairRun else list(zip(TEXTS, TEXTS[::-1], strict=True))
    report = run.export("onnx", texts=rows)
    assert report.checks["onnx"].equal_decisions == 1
    assert {"onnx", "onnx-int8"} <= set(report.checks)
    expected = run.predict(rows)
    opened = training_run(load=run.run_dir)
    found = opened.predict(rows, backend="onnx")
    assert found == [numbers(each) for each in expected]
    assert len(opened.predict(rows, backend="onnx-int8")) == len(rows)
    with pytest.raises(UnknownArgumentError, match="there is no argument 'top_p'"):
        opened.predict(rows, backend="onnx", top_p=1)
    with pytest.raises(ExportError, match="its pipeline"):
        load(run.run_dir)


@pytest.mark.parametrize("shift", [0.01, 50.0], ids=["other scores", "other tags"])
def test_a_model_that_answers_otherwise_is_refused(tiny_model, monkeypatch, shift):
    from clx.ml.prediction import onnx_files

    original = onnx_files.write_onnx

    def wrong(model, inputs, path, outputs):
        changed = copy.deepcopy(model)
        changed.classifier.bias.data += torch.tensor([0.0, 0.0, shift])
        original(changed, inputs, path, outputs)

    monkeypatch.setattr(onnx_files, "write_onnx", wrong)
    run = trained(TagRun, tiny_model)
    with pytest.raises(ExportError, match="answers differently"):
        run.export("onnx", texts=TEXTS)
    assert not (run.run_dir / "onnx").exists()


def test_a_pipeline_that_reads_more_than_the_outputs(tiny_model):
    class Hidden(TagPipeline):
        def _forward(self, model_inputs):
            found = self.model(**model_inputs, output_hidden_states=True)
            shift = found.hidden_states[-1].mean()
            return {"logits": found.logits + shift, "mask": model_inputs["attention_mask"]}

    class HiddenRun(TagRun):
        name = "hidden"
        pipeline_args = {"task": "token-classification", "pipeline_class": Hidden}

    run = trained(HiddenRun, tiny_model)
    with pytest.raises(ExportError, match="Hidden cannot run with the exported model"):
        run.export("onnx", texts=TEXTS)
    assert not (run.run_dir / "onnx").exists()


def test_a_pipeline_that_leaves_out_an_input(tiny_model):
    class Fewer(TagPipeline):
        def _forward(self, model_inputs):
            ids, mask = model_inputs["input_ids"], model_inputs["attention_mask"]
            return {"logits": self.model(input_ids=ids, attention_mask=mask).logits, "mask": mask}

    class FewerRun(TagRun):
        name = "fewer"
        pipeline_args = {"task": "token-classification", "pipeline_class": Fewer}

    run = trained(FewerRun, tiny_model)
    with pytest.raises(ExportError, match="does not pass token_type_ids to its model"):
        run.export("onnx", texts=TEXTS)


def test_what_the_class_must_say(tiny_model, monkeypatch):
    monkeypatch.setattr(TagRun, "onnx_outputs", {})
    run = trained(TagRun, tiny_model)
    with pytest.raises(ExportError, match="or a task with onnx_outputs, can be exported"):
        run.export("onnx", texts=TEXTS)
    for wrong in ("logits", {"logits": "texts"}, {"logits": ()}, ("logits",)):
        monkeypatch.setattr(TagRun, "onnx_outputs", wrong)
        (problem,) = task_problems(TagRun, TrainingRun)
        assert "onnx_outputs must be a dict" in problem
