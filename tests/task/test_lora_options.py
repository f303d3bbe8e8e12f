"""The options lora and lora_merge: what they may be, and that PEFT must be installed."""

import importlib.util

import pytest

from clx.errors import ConfigError, MissingDependencyError
from clx.ml import training_run
from clx.ml.task.lora_options import lora_settings


def make(**options):
    return training_run("classification", "adapted", **options)


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        ({"rank": 4}, "lora has no entry 'rank'"),
        ({"target_module": ["query"]}, "did you mean 'target_modules'"),
        (
            {"alpha": 4, "Dropout": 0.1},
            "did you mean 'lora_alpha'.*\n.*did you mean 'lora_dropout'",
        ),
        ({"modules_to_save": ["classifier"]}, "modules_to_save cannot be set: the head is trained"),
        ({"r": 0}, "r must be a whole number of at least 1, but is 0"),
        ({"r": True}, "r must be a whole number"),
        ({"lora_alpha": "16"}, "lora_alpha must be a number above 0, but is '16'"),
        ({"lora_dropout": 1}, "lora_dropout must be from 0 to below 1"),
        ({"target_modules": []}, "target_modules must be a list of names, a regular expression"),
        ({"exclude_modules": "dense"}, "exclude_modules must be a list of names"),
        ({"layers_to_transform": [-1]}, "layers_to_transform must be the number of a layer"),
        ({"rank_pattern": {"query": 0}}, "rank_pattern must be a dict with a number for each"),
        ({"use_dora": "yes"}, "use_dora must be true or false, but is 'yes'"),
        ("yes", "lora must be true, false, or a dict"),
        (None, "lora must be true, false, or a dict"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(lora, said):
    with pytest.raises(ConfigError, match=said):
        make(lora=lora)


def test_what_is_not_given_has_a_default():
    assert lora_settings(make(lora=True)) == {"r": 8, "lora_alpha": 16, "lora_dropout": 0.05}
    assert lora_settings(make(lora={"r": 4, "use_dora": True})) == {
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.05,
        "use_dora": True,
    }


def test_without_peft_the_run_is_not_made(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "peft" else find(name)
    )
    for lora in (True, {"r": 4}):
        with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[peft\]'"):
            make(lora=lora)
    assert make(lora=False).lora is False
