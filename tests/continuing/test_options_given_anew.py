"""Options that say how to train may be given anew when a run is continued."""

import re
from pathlib import Path

import pytest

from clx.errors import MissingDependencyError
from clx.ml import training_run
from clx.ml.task import lora_options, reporting
from clx.ml.task.options import ANEW, KEPT
from conftest import fruit_frame

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "continued-runs.md"
QUICK = {"fine_tune": False}

pytestmark = pytest.mark.filterwarnings("ignore::clx.errors.DataWarning")


@pytest.fixture
def tracked(tiny_model, tmp_path, monkeypatch):
    """A run with an adapter and trackers, on a machine that has neither package."""
    run = training_run(
        "classification",
        "tracked",
        run_dir_parent=tmp_path,
        base_model_name=tiny_model,
        label_texts=None,
        pooling="mean",
        lora=True,
        report_to="tensorboard",
        training_args={"max_steps": 1, "disable_tqdm": True, "report_to": "tensorboard"},
    )
    run.train(fruit_frame(12), **QUICK)
    monkeypatch.setattr(reporting, "find_spec", lambda name: None)
    find = lora_options.importlib.util.find_spec
    monkeypatch.setattr(
        lora_options.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "peft" else find(name, *rest),
    )
    return training_run(load=run.run_dir)


def test_a_run_is_continued_without_its_tracker_and_its_adapter(tracked):
    with pytest.raises(MissingDependencyError, match="peft"):
        tracked.continue_training(fruit_frame(12), report_to="none")
    with pytest.raises(MissingDependencyError, match="tensorboard"):
        tracked.continue_training(fruit_frame(12), lora=False)
    result = tracked.continue_training(fruit_frame(12), report_to="none", lora=False)
    config = training_run(load=result.run_dir).config
    assert (config["report_to"], config["lora"]) == ("none", False)
    assert config["training_args"] == {"max_steps": 1, "disable_tqdm": True}
    assert result.steps == 1
    assert not list(result.run_dir.rglob("events.out*"))


def test_the_page_lists_the_options_that_may_be_given_anew():
    text = PAGE.read_text(encoding="utf-8").partition("## Options\n")[2]
    rows = re.findall(r"^\| (`.+`) \| (yes|no) \|", text, re.MULTILINE)
    listed = {"yes": set(), "no": set()}
    for names, answer in rows:
        listed[answer] |= set(re.findall(r"`(\w+)`", names))
    assert listed["yes"] == set(ANEW)
    assert listed["no"] == set(KEPT) - set(ANEW)
