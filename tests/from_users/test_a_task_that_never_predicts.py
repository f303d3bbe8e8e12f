"""An author wrote a pretraining task without ``pipeline_args``: the class was refused as invalid."""

import json

import pandas as pd
import pytest

from cli_helpers import Cli
from clx.batch import Predictor
from clx.errors import ConfigError
from clx.ml import TrainingRun, task_registry, training_run
from clx.ml.data import column_problems, raise_data_problems
from clx.ml.task.predicting import predicts
from conftest import make_tiny_model

TEXTS = pd.DataFrame({"text": ["the cat is red", "a big dog", "apple and lemon", "one cow"] * 3})
QUIET = {"disable_tqdm": True, "max_steps": 2, "per_device_train_batch_size": 4}


class Pretraining(TrainingRun):
    name = "pretraining-only"
    dataset_cols = ["input_ids", "attention_mask"]

    def validate_data_format(self, data):
        raise_data_problems(column_problems(data, ["text"]), "a column text")

    def load_model(self, model_name=None):
        from transformers import AutoModelForMaskedLM

        return AutoModelForMaskedLM.from_pretrained(model_name, **self.model_args)

    def load_data_collator(self):
        from transformers import DataCollatorForLanguageModeling

        return DataCollatorForLanguageModeling(self.tokenizer)


class ExplicitlyNone(Pretraining):
    name = "pretraining-none"
    pipeline_args = None


@pytest.fixture(autouse=True)
def registered():
    task_registry.register(Pretraining)
    task_registry.register(ExplicitlyNone)
    yield
    task_registry.refresh()


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    base = make_tiny_model(tmp_path_factory.mktemp("base") / "tiny")
    run = Pretraining(
        "pre",
        run_dir_parent=tmp_path_factory.mktemp("runs"),
        base_model_name=base,
        training_args=QUIET,
    )
    run.train(TEXTS, TEXTS)
    return run.run_dir


def test_it_trains_is_published_and_is_the_base_of_another_run(pretrained, fruit):
    run = training_run(load=pretrained, verify=True)
    assert run.results["metrics"]["loss"] > 0
    assert run.evaluate(TEXTS).metrics["loss"] > 0
    card = (run.run_dir / "model" / "README.md").read_text()
    assert "pipeline" not in card
    assert "base_model_name=" in card
    other = training_run(
        "classification", "on-it", base_model_name=str(pretrained), training_args=QUIET
    )
    other.train(fruit)
    assert other.predict(["a cat"])


def test_none_says_the_same(tiny_model):
    assert predicts(training_run("classification", "does"))
    run = training_run("pretraining-none", "none", base_model_name=tiny_model)
    assert not predicts(run)


@pytest.mark.parametrize(
    "ask",
    [
        lambda run, target: run.predict(["a cat"]),
        lambda run, target: run.predict([]),
        lambda run, target: run.predict_iter(["a cat"]),
        lambda run, target: run.predict_labels(["a cat"]),
        lambda run, target: run.predict_frame(TEXTS),
        lambda run, target: run.predict_file("no-such-file.csv", target),
        lambda run, target: run.pipe,
        lambda run, target: run.export(),
        lambda run, target: run.estimate(TEXTS),
    ],
)
@pytest.mark.parametrize("made", ["opened", "untrained"])
def test_what_predicts_says_so(pretrained, tmp_path, ask, made):
    run = training_run(load=pretrained) if made == "opened" else Pretraining("untrained")
    with pytest.raises(ConfigError, match="does not predict: its class has no pipeline_args"):
        ask(run, tmp_path / "out.csv")


@pytest.mark.parametrize(
    "line", [["predict", "RUN", "a cat"], ["estimate", "RUN", "FILE"], ["export", "RUN"]]
)
def test_the_command_line_says_so(pretrained, tmp_path, line, capsys, monkeypatch):
    cli, file = Cli(capsys, monkeypatch), tmp_path / "texts.csv"
    TEXTS.to_csv(file, index=False)
    words = [{"RUN": str(pretrained), "FILE": str(file)}.get(word, word) for word in line]
    assert cli(*words).status == 2
    assert "does not predict" in cli.err


def test_so_does_a_predictor(pretrained):
    with pytest.raises(ConfigError, match="does not predict"):
        Predictor(str(pretrained))


def test_serving_says_so_and_verifying_loads_the_model(pretrained):
    from clx.cli.diagnoses import whole_run
    from clx.cli.serving import SavedSource

    with pytest.raises(ConfigError, match="does not predict"):
        SavedSource(str(pretrained), None, None, None).open()
    assert whole_run(pretrained).status == "ok"


def test_an_option_for_predictions_is_refused():
    with pytest.raises(ConfigError, match="but the task does not predict"):
        Pretraining("windows", long_text="window")


def test_an_empty_dict_is_still_a_mistake():
    wrong = type("Wrong", (Pretraining,), {"name": "wrong", "pipeline_args": {}})
    with pytest.raises(Exception, match="pipeline_args must be a dict"):
        wrong("wrong")


def test_the_config_says_nothing_about_it(pretrained):
    config = json.loads((pretrained / "config.json").read_text())
    assert "pipeline_args" not in config
