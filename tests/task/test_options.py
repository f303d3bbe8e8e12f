"""Each option is declared once: the signature, the config, the page and the help follow."""

import inspect
import subprocess
import sys

import pytest

from clx.errors import ConfigError
from clx.ml import TrainingRun, training_run
from clx.ml.task.options import BY_TASK, KEPT, OPTIONS
from options_page import PAGE, page
from strangers import Minimal

INHERITED = [option.name for option in OPTIONS if option.default is BY_TASK]
PARAMETERS = inspect.signature(TrainingRun.__init__).parameters


def test_the_signature_is_the_table():
    named = [name for name in PARAMETERS if name not in ("self", "run_name", "config_attrs")]
    assert named == [option.name for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_defaults_are_those_of_the_table(option):
    # The signature has None for what is made anew for each run, and for what the task decides.
    anew = option.default is BY_TASK or option.default == {}
    assert PARAMETERS[option.name].default == (None if anew else option.default)


def test_a_run_has_the_defaults_and_keeps_them():
    run = training_run("classification", "defaults")
    assert set(KEPT) <= set(run.config)
    for option in OPTIONS:
        if option.name in KEPT and option.default is not BY_TASK:
            assert run.config[option.name] == option.default
    assert "trust_remote_code" not in run.config


def test_what_the_task_decides_is_its_class_attribute():
    assert set(INHERITED) == {"head_init", "pooling", "calibrate"}
    run = Minimal("minimal")
    assert [getattr(run, name) for name in INHERITED] == ["random", "model", False]


@pytest.mark.parametrize(
    "option", [option for option in OPTIONS if option.check], ids=lambda option: option.name
)
def test_every_check_names_its_option(option):
    with pytest.raises(ConfigError, match=option.name):
        training_run("classification", "wrong", **{option.name: 3.5})


def test_the_page_has_todays_table():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text
    assert all(f"| `{option.name}` |" in text for option in OPTIONS)


def test_the_docstring_has_every_option():
    assert all(f"        {option.name}: " in TrainingRun.__doc__ for option in OPTIONS)


def test_the_help_of_clx_train_has_every_option_without_an_argument_of_its_own():
    done = subprocess.run(
        [sys.executable, "-m", "clx", "train", "--help"], capture_output=True, text=True, check=True
    )
    elsewhere = {"run_dir_parent", "base_model_name", "tokenizer_name", "device"}
    elsewhere |= {"text_column", "label_column"}
    missing = [
        option.name
        for option in OPTIONS
        if option.name not in elsewhere and option.name not in done.stdout
    ]
    assert missing == []
