"""An author wrote ``__init__(self, label_names, *args, **kwargs)``: "multiple values for argument"."""

import copy
import pickle

import pytest

from clx.errors import ConfigError, PluginError
from clx.ml import task_registry, training_run
from clx_tasks_classification import ClassificationRun

QUIET = {"disable_tqdm": True, "max_steps": 2}
NAMES = ["animal", "fruit"]


class First(ClassificationRun):
    """The label names come first, and are required."""

    name = "names-first"
    add_config_attrs = [*ClassificationRun.add_config_attrs, "extra"]
    aliases = ()

    def __init__(self, label_names, *args, extra=None, **kwargs):
        super().__init__(*args, label_names=label_names, **kwargs)
        self.extra = extra


class Named(ClassificationRun):
    """The name of the run has another name, or none."""

    name = "named-otherwise"
    aliases = ()

    def __init__(self, name, **kwargs):
        super().__init__(name, **kwargs)


class Required(ClassificationRun):
    name = "name-required"
    aliases = ()

    def __init__(self, run_name, label_names=None, **kwargs):
        super().__init__(run_name, label_names=label_names, **kwargs)


@pytest.fixture(autouse=True)
def registered():
    for task in (First, Named, Required):
        task_registry.register(task)
    yield
    for task in (First, Named, Required):
        task_registry.unregister(task.name)


@pytest.mark.parametrize("task", [First, Named, Required])
def test_such_a_class_is_made_trained_opened_and_copied(task, tiny_model, fruit):
    options = {"label_names": NAMES, "base_model_name": str(tiny_model), "training_args": QUIET}
    run = training_run(task.name, "mine", **options)
    assert run.run_name == "mine"
    assert copy.deepcopy(run).run_name == "mine"
    run.train(fruit)
    opened = training_run(load=run.run_dir)
    assert (opened.run_name, opened.label_names) == ("mine", NAMES)
    assert pickle.loads(pickle.dumps(opened)).predict(["a cat"]) == run.predict(["a cat"])
    more = opened.continue_training(fruit, name="more")
    assert more.run_dir.name == "more"


def test_what_it_needs_is_named():
    with pytest.raises(ConfigError, match=r"needs label_names: write training_run"):
        training_run("names-first", "mine")


def test_what_no_config_would_keep_is_refused_with_the_class():
    class Teacher(ClassificationRun):
        name = "taught"

        def __init__(self, teacher, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.teacher = teacher

    with pytest.raises(PluginError, match="needs 'teacher', which the config would not keep"):
        task_registry.register(Teacher)
