"""The subclass template of the contract, line by line, with a real (tiny) model."""

import json
import math

import pandas as pd
import pytest
from transformers import (
    Trainer,
)

from clx.errors import ConfigError, DataFormatError, PluginError
from clx.ml import TrainingRun, task_registry, training_run
from conftest import fruit_frame
from strangers import NAMES, Full, Minimal, calls

FAST = {"max_steps": 2, "disable_tqdm": True}


class WithoutInit(Minimal):
    name = "without-init"
    add_config_attrs = ["window-size", "colours"]
    colours = ["red"]


@pytest.fixture(autouse=True)
def registered():
    for task in (Minimal, Full, WithoutInit):
        task_registry.register(task)
    calls.clear()
    yield
    for task in (Minimal, Full, WithoutInit):
        task_registry.unregister(task.name)


def test_the_smallest_task_trains_saves_loads_and_predicts(tiny_model, fruit):
    run = training_run("minimal", "small", base_model_name=tiny_model, training_args=FAST)
    run.train(fruit, fruit)
    reloaded = training_run(load=run.run_dir)
    predictions = reloaded.predict(["cat", "apple"])
    assert [set(prediction) for prediction in predictions] == [{"label", "score"}] * 2
    assert list(reloaded.predict_frame(fruit).columns) == ["label", "score", "truncated"]
    assert reloaded.evaluate(fruit).metrics.keys() == {"loss"}


def test_every_line_of_the_template_is_used(tiny_model, fruit):
    run = training_run(
        "my-custom-task", "full", my_config_attr=[1], base_model_name=tiny_model, training_args=FAST
    )
    result = run.train(fruit, fruit)
    assert set(result.metrics) == {"loss", "hits"}
    assert {"compute_loss", "load_tokenizer", "load_data_collator"} <= set(calls)
    config = json.loads((run.run_dir / "config.json").read_text())
    assert config["my_config_attr"] == [1]
    assert config["other_attr"] is None
    reloaded = training_run(load=run.run_dir)
    assert isinstance(reloaded, Full)
    assert reloaded.my_config_attr == [1]
    assert set(reloaded.predict("cat")[0]) == set(NAMES)


def test_config_attributes_of_a_class_without_init(tiny_model, fruit):
    assert WithoutInit("a").colours == ["red"]
    assert WithoutInit("a").window_size is None
    run = training_run(
        "without-init", "b", window_size=5, base_model_name=tiny_model, training_args=FAST
    )
    run.train(fruit)
    loaded = training_run(load=run.run_dir)
    assert (loaded.window_size, loaded.colours) == (5, ["red"])
    WithoutInit("c").colours.append("blue")
    assert WithoutInit("d").colours == ["red"]


def test_hyphens_in_a_written_config_are_read(tiny_model, fruit):
    run = training_run("my-custom-task", "full", base_model_name=tiny_model, training_args=FAST)
    run.train(fruit)
    path = run.run_dir / "config.json"
    path.write_text(path.read_text().replace('"my_config_attr": 3', '"my-config-attr": 4'))
    (run.run_dir / "manifest.json").write_text('{"files": {}}')
    assert training_run(load=run.run_dir).my_config_attr == 4


def test_values_set_after_super_init_are_checked():
    with pytest.raises(ConfigError, match=r"(?s)my_config_attr.*other_attr"):
        training_run("my-custom-task", "x", my_config_attr={1, 2}, other_attr=float("nan"))


def test_what_validation_raises_is_a_data_format_error(tiny_model):
    run = training_run("minimal", "x", base_model_name=tiny_model)
    with pytest.raises(DataFormatError, match="columns are") as caught:
        run.train(pd.DataFrame({"a": [1]}))
    assert isinstance(caught.value.__cause__, ValueError)


class Broken(Minimal):
    name = "broken"

    def tokenize(self, examples):
        raise LookupError("no idea")


def test_other_exceptions_of_a_task_have_a_note(tiny_model, fruit):
    run = Broken("x", base_model_name=tiny_model)
    with pytest.raises(LookupError) as caught:
        run.train(fruit)
    assert caught.value.__notes__ == ["[clx] in tokenize() of the task 'broken', run 'x'"]


class Short(Minimal):
    name = "short"

    def tokenize(self, examples):
        return {"input_ids": [[1, 2]]}


class Wordy(Minimal):
    name = "wordy"

    def compute_metrics(self, eval_pred):
        return {"verdict": "good"}


def test_wrong_results_of_a_task_say_what_is_wrong(tiny_model, fruit):
    with pytest.raises(PluginError, match=r"given 40 rows.*\{'input_ids': 1\}"):
        Short("x", base_model_name=tiny_model).train(fruit)
    with pytest.raises(PluginError, match="'verdict' is 'good'"):
        Wordy("x", base_model_name=tiny_model, training_args=FAST).train(fruit, fruit)


class Undefined(Minimal):
    name = "undefined"

    def compute_metrics(self, eval_pred):
        return {"correlation": float("nan")}


def test_a_metric_that_is_undefined_costs_no_training(tiny_model, fruit):
    run = Undefined("x", base_model_name=tiny_model, training_args=FAST)
    assert math.isnan(run.train(fruit, fruit).metrics["correlation"])
    assert run.is_trained
    results = json.loads((run.run_dir / "results.json").read_text())
    assert results["metrics"]["correlation"] is None


def test_a_task_made_in_a_notebook_is_saved_without_a_distribution(tiny_model):
    run = Minimal("x", base_model_name=tiny_model, training_args=FAST)
    run.train(fruit_frame(8))
    assert run.config["task_distribution"] is None


def test_the_base_class_is_not_a_task():
    with pytest.raises(ConfigError, match="base class"):
        TrainingRun("x")


def test_default_trainer_is_that_of_transformers():
    assert TrainingRun.trainer_class is Trainer
    assert Minimal("x").trainer_class is Trainer
