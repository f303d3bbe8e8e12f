"""Somebody made pipeline_args a property, so that the package does not import torch, and was refused."""

import pytest
from transformers import TextClassificationPipeline

from clx.errors import PluginError
from clx.ml import task_registry
from clx.testing import check_task
from conftest import fruit_frame
from strangers import Minimal

EXPECTED = {"task": "text-classification", "pipeline_class": TextClassificationPipeline}


class ByProperty(Minimal):
    name = "by-property"

    @property
    def pipeline_args(self):
        return dict(EXPECTED)


class ByMethod(Minimal):
    name = "by-method"

    def pipeline_args(self):
        return dict(EXPECTED)


class ByClassMethod(Minimal):
    name = "by-class-method"

    @classmethod
    def pipeline_args(cls):
        return dict(EXPECTED)


class Wrong(Minimal):
    name = "wrong-pipeline-args"

    def pipeline_args(self):
        return {"pipeline_class": TextClassificationPipeline}


TASKS = [ByProperty, ByMethod, ByClassMethod]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_pipeline_args_are_read_from_the_run(task):
    task_registry.register(task)
    try:
        assert task_registry[task.name] is task
        assert task("run").pipeline_args == EXPECTED
        (result,) = check_task(task, fruit_frame(8), checks=["attributes"])
        assert result.outcome == "passed", result
    finally:
        task_registry.unregister(task.name)


def test_a_run_with_such_pipeline_args_predicts(tiny_model, fruit):
    options = {"base_model_name": tiny_model, "training_args": {"max_steps": 1}}
    run = ByMethod("run", **options)
    run.train(fruit)
    assert type(run.pipe) is TextClassificationPipeline
    assert set(run.predict("cat")[0]) == {"label", "score"}


def test_a_method_that_returns_something_else_is_named(tiny_model, fruit):
    run = Wrong("run", base_model_name=tiny_model, training_args={"max_steps": 1})
    with pytest.raises(
        PluginError, match=r"wrong-pipeline-args.*must be a dict with the pipeline's"
    ):
        run.train(fruit)
