"""The attributes with which a task takes part in changes of a trained run are checked."""

import pytest

from clx.errors import PluginError
from clx.ml import training_run
from clx.ml.run.run import TrainingRun
from clx.ml.task.checks import task_problems


@pytest.mark.parametrize("attribute", ["label_options", "decision_options"])
@pytest.mark.parametrize("value", ["label_names", 5, (1,)])
def test_names_of_options_are_a_tuple(attribute, value):
    task = type(training_run("classification", "a"))
    wrong = type("Wrong", (task,), {"name": "wrong", attribute: value})
    problems = task_problems(wrong, TrainingRun)
    assert any(f"{attribute} must be a tuple of option names" in said for said in problems)
    with pytest.raises(PluginError, match=attribute):
        wrong("b")
