"""An author set ``trainer_class = Seq2SeqTrainer``: TrainingArguments has no 'generation_config'."""

from dataclasses import dataclass

import pandas as pd
import pytest
import torch
from transformers import (
    AutoModelForSeq2SeqLM,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    T5Config,
    T5ForConditionalGeneration,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from clx.errors import ConfigError
from clx.ml import TrainingRun, task_registry, training_run
from clx.ml.data import column_problems, raise_data_problems
from clx_tasks_classification import ClassificationRun
from conftest import WORDS, make_tiny_model

PAIRS = pd.DataFrame(
    {
        "text": ["one red apple", "two green dog", "three cat", "a big cow"] * 4,
        "target": ["apple", "dog", "cat", "cow"] * 4,
    }
)
GENERATES = {
    "disable_tqdm": True,
    "max_steps": 3,
    "per_device_train_batch_size": 4,
    "save_strategy": "steps",
    "eval_strategy": "steps",
    "save_steps": 1,
    "eval_steps": 1,
    "predict_with_generate": True,
    "generation_max_length": 6,
}


class Translation(TrainingRun):
    """Writes a text for a text."""

    name = "translation"
    dataset_cols = ["input_ids", "attention_mask", "labels"]
    trainer_class = Seq2SeqTrainer

    def validate_data_format(self, data):
        raise_data_problems(column_problems(data, ["text", "target"]), "text and target")

    def load_model(self, model_name=None):
        return AutoModelForSeq2SeqLM.from_pretrained(model_name, **self.model_args)

    def load_data_collator(self):
        return DataCollatorForSeq2Seq(self.tokenizer)

    def tokenize(self, examples):
        labels = self.tokenizer(text_target=examples["target"])["input_ids"]
        return {**super().tokenize(examples), "labels": labels}

    def compute_metrics(self, eval_pred):
        tokens, labels = eval_pred
        assert tokens.dtype.kind == "i"
        written = ((tokens != -100) & (tokens != 0)).sum(-1).max()
        return {"written": float(written), "rows": float(len(labels))}


@dataclass
class Tempered(TrainingArguments):
    """Arguments of a distillation."""

    temperature: float = 2.0
    soft: bool = True


class Distils(Trainer):
    """Records the temperature of its arguments."""

    seen: list = []

    def compute_loss(self, *args, **kwargs):
        self.seen.append(self.args.temperature)
        return super().compute_loss(*args, **kwargs)


class OwnArguments(ClassificationRun):
    name = "own-arguments"
    aliases = ()
    trainer_class = Distils
    training_arguments_class = Tempered


@pytest.fixture(autouse=True)
def registered():
    for task in (Translation, OwnArguments):
        task_registry.register(task)
    yield
    for task in (Translation, OwnArguments):
        task_registry.unregister(task.name)


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    folder = make_tiny_model(tmp_path_factory.mktemp("t5") / "t5")
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    ids = {"pad_token_id": 0, "eos_token_id": 3, "decoder_start_token_id": 0}
    config = T5Config(vocab_size=len(WORDS), **sizes, **ids)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


class StopAtTwo(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == 2:
            raise KeyboardInterrupt


def test_it_trains_generates_resumes_and_evaluates(t5):
    run = training_run("translation", "t", base_model_name=str(t5), training_args=GENERATES)
    with pytest.raises(KeyboardInterrupt):
        run.train(PAIRS, PAIRS, callbacks=[StopAtTwo])
    result = run.train(PAIRS, PAIRS, resume=True)
    assert result.steps == 3
    assert result.metrics["rows"] == len(PAIRS)
    assert result.metrics["written"] <= 6
    opened = training_run(load=run.run_dir)
    again = opened.evaluate(PAIRS).metrics
    assert again == pytest.approx(result.metrics, rel=1e-4)
    inputs = opened.tokenizer(["one red apple"], return_tensors="pt")
    del inputs["token_type_ids"]
    assert opened.model.generate(**inputs, max_length=4).shape[0] == 1


def test_the_arguments_of_the_class_are_checked():
    wrong = {"predict_with_generat": True, "sortish_sampler": 3}
    with pytest.raises(ConfigError) as caught:
        training_run("translation", "t", training_args=wrong)
    assert "Seq2SeqTrainingArguments has no 'predict_with_generat'" in str(caught.value)
    assert "did you mean 'predict_with_generate'?" in str(caught.value)
    assert "sortish_sampler must be true or false" in str(caught.value)
    with pytest.raises(ConfigError, match="TrainingArguments has no 'predict_with_generate'"):
        training_run("classification", "c", training_args={"predict_with_generate": True})


def test_a_class_of_ones_own(tiny_model, fruit):
    args = {"disable_tqdm": True, "max_steps": 1, "temperature": 3.5}
    run = training_run("own-arguments", "o", base_model_name=str(tiny_model), training_args=args)
    Distils.seen.clear()
    run.train(fruit)
    training_run(load=run.run_dir).evaluate(fruit)
    assert set(Distils.seen) == {3.5}
    with pytest.raises(ConfigError, match=r"(?s)has no 'temperatur'.*mean 'temperature'"):
        training_run("own-arguments", "o", training_args={"temperatur": 1.0})
    with pytest.raises(ConfigError, match="soft must be true or false"):
        training_run("own-arguments", "o", training_args={"soft": "yes"})


def test_something_else_is_refused():
    class Wrong(OwnArguments):
        name = "wrong-arguments"
        training_arguments_class = dict

    with pytest.raises(ConfigError, match="must be a subclass of transformers"):
        Wrong("w")


def test_it_may_be_a_property(fruit, tiny_model):
    class Lazy(ClassificationRun):
        name = "lazy-arguments"
        aliases = ()

        @property
        def training_arguments_class(self):
            return Tempered

    run = Lazy("l", base_model_name=str(tiny_model), training_args={"temperature": 1.0})
    assert run.training_args == {"temperature": 1.0}
