"""An author wrote ``self.label_names = label_names``; two runs then shared the caller's list."""

import pytest

from clx.ml import task_registry, training_run
from clx_tasks_classification import ClassificationRun


class Keeps(ClassificationRun):
    """Keeps what it is given, and has a default that all its runs would share."""

    name = "keeps"
    aliases = ()
    add_config_attrs = [*ClassificationRun.add_config_attrs, "cuts"]

    def __init__(self, run_name=None, label_names=None, cuts={"a": [1]}, **kwargs):  # noqa: B006
        super().__init__(run_name, **kwargs)
        self.label_names = label_names
        self.cuts = cuts


@pytest.fixture(autouse=True)
def registered():
    task_registry.register(Keeps)
    yield
    task_registry.unregister("keeps")


def test_a_run_has_lists_and_dicts_of_its_own():
    names, args = ["a", "b"], {"max_steps": 2}
    one = training_run("keeps", "one", label_names=names, training_args=args)
    two = training_run("keeps", "two", label_names=names, training_args=args)
    one.label_names.append("c")
    one.cuts["a"].append(2)
    one.training_args["seed"] = 1
    assert (two.label_names, two.cuts, two.training_args) == (["a", "b"], {"a": [1]}, args)
    assert (names, args) == (["a", "b"], {"max_steps": 2})
    assert training_run("keeps", "three").cuts == {"a": [1]}


def test_so_has_a_run_that_is_opened(tiny_model, fruit):
    args = {"max_steps": 1, "disable_tqdm": True}
    run = training_run("keeps", "k", base_model_name=str(tiny_model), training_args=args)
    run.train(fruit)
    one, two = (training_run(load=run.run_dir) for _ in range(2))
    one.cuts["a"].append(2)
    assert two.cuts == {"a": [1]}
