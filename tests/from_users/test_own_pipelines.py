"""Somebody wrote a pipeline for two texts, and got them as a private str whose repr is a tuple.

Own pipelines get two texts as ``{"text": …, "text_pair": …}``, and may treat a list of one as they like.
"""

import json

import pandas as pd
import pytest
from transformers import AutoModelForSequenceClassification, Pipeline, TextClassificationPipeline
from transformers.pipelines import PIPELINE_REGISTRY
from transformers.pipelines.base import ChunkPipeline

from clx.errors import PluginError
from clx.ml import TrainingRun
from conftest import fruit_frame

ROWS = [("the cat eats", "an apple"), ("a big dog", "one red melon"), ("a goat", "a grape")]
seen = []


class OwnSteps(Pipeline):
    """A score for two texts, and the second one."""

    def _sanitize_parameters(self, **_):
        return {}, {}, {}

    def preprocess(self, inputs):
        seen.append(inputs)
        encoded = self.tokenizer(inputs["text"], inputs["text_pair"], return_tensors="pt")
        return {**encoded, "second": inputs["text_pair"]}

    def _forward(self, model_inputs):
        second = model_inputs.pop("second")
        return {"logits": self.model(**model_inputs).logits, "second": second}

    def postprocess(self, outputs):
        return {"score": float(outputs["logits"][0, 0]), "second": outputs["second"]}


class OwnChunks(ChunkPipeline):
    """The two texts, each read alone."""

    def _sanitize_parameters(self, **_):
        return {}, {}, {}

    def preprocess(self, inputs):
        for name in ("text", "text_pair"):
            yield {**self.tokenizer(inputs[name], return_tensors="pt"), "is_last": name != "text"}

    def _forward(self, model_inputs):
        is_last = model_inputs.pop("is_last")
        return {"logits": self.model(**model_inputs).logits, "is_last": is_last}

    def postprocess(self, outputs):
        return {"score": sum(float(each["logits"][0, 0]) for each in outputs)}


class Unwrapping(TextClassificationPipeline):
    """Changes each output, and returns that of a list of one without the list."""

    def __call__(self, inputs, **kwargs):
        outputs = [[{"score": entry["score"]}] for entry in super().__call__(inputs, **kwargs)]
        return outputs[0] if len(inputs) == 1 else outputs


class Losing(TextClassificationPipeline):
    def __call__(self, inputs, **kwargs):
        return super().__call__(inputs, **kwargs)[:1]


PIPELINE_REGISTRY.register_pipeline(
    "clx-own-pairs", pipeline_class=OwnSteps, pt_model=AutoModelForSequenceClassification
)


class Pairs(TrainingRun):
    name = "own-pairs"
    text_columns = ("first", "second")
    pipeline_args = {"task": "clx-own-pairs"}

    def validate_data_format(self, data):
        """Accept everything."""

    def load_model(self, model_name=None):
        return AutoModelForSequenceClassification.from_pretrained(model_name, num_labels=2)

    def tokenize(self, examples):
        rows = len(examples["label"])
        return {**super().tokenize(examples), "labels": [n % 2 for n in range(rows)]}


class Chunks(Pairs):
    name = "own-chunks"
    pipeline_args = {"task": "text-classification", "pipeline_class": OwnChunks}


class Single(Pairs):
    name = "own-single"
    text_columns = ("text",)
    pipeline_args = {"task": "text-classification", "pipeline_class": Unwrapping}


class Lossy(Single):
    name = "own-lossy"
    pipeline_args = {"task": "text-classification", "pipeline_class": Losing}


class Stock(Pairs):
    name = "own-stock"
    pipeline_args = {"task": "text-classification"}


@pytest.fixture
def trained(tiny_model):
    seen.clear()

    def train(task):
        options = {"training_args": {"max_steps": 1, "disable_tqdm": True}, "label_texts": None}
        run = task("run", base_model_name=tiny_model, **options)
        frame = fruit_frame(8)
        run.train(frame.assign(first=frame["text"], second=frame["text"]))
        return run

    return train


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_two_texts_reach_an_own_pipeline_as_a_plain_dict(trained, tmp_path):
    run = trained(Pairs)
    predictions = run.predict(ROWS)
    assert sorted(map(str, seen)) == sorted(
        str({"text": first, "text_pair": second}) for first, second in ROWS
    )
    assert [each["second"] for each in predictions] == [second for _, second in ROWS]
    frame = pd.DataFrame(ROWS, columns=["first", "second"])
    assert list(run.predict_frame(frame)["second"]) == list(frame["second"])
    frame.to_csv(tmp_path / "in.csv", index=False)
    run.predict_file(tmp_path / "in.csv", tmp_path / "out.jsonl", columns=[])
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["second"] for line in lines] == list(frame["second"])
    (alone,) = run.predict(ROWS[:1])
    assert alone == pytest.approx(predictions[0])
    assert run.pipe({"text": "the cat eats", "text_pair": "an apple"}) == pytest.approx(alone)


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_an_own_pipeline_of_chunks(trained):
    run = trained(Chunks)
    both = run.predict(ROWS)
    assert [run.predict([row])[0]["score"] for row in ROWS] == pytest.approx(
        [each["score"] for each in both], abs=1e-5
    )


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_the_stock_pipeline_gives_the_same_scores_for_both_forms(trained):
    run = trained(Stock)
    scores = [each["score"] for each in run.predict(ROWS)]
    plain = run.pipe([{"text": first, "text_pair": second} for first, second in ROWS])
    assert scores == pytest.approx([each["score"] for each in plain], abs=1e-5)


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_an_own_pipeline_that_changes_and_unwraps_its_outputs(trained):
    run = trained(Single)
    texts = ["the cat", "one apple", "the cat"]
    every = run.predict(texts)
    assert [len(each) for each in every] == [1, 1, 1]
    assert run.predict(texts[:1])[0][0] == pytest.approx(every[0][0])
    assert run.predict([texts[0]] * 2) == [every[0]] * 2


@pytest.mark.filterwarnings("ignore::clx.errors.ClxWarning")
def test_a_pipeline_that_loses_outputs_is_named(trained):
    run = trained(Lossy)
    with pytest.raises(PluginError, match="Losing returned 1 outputs for 2 texts"):
        run.predict(["the cat", "one apple"])
