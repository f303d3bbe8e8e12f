"""A user compared a run with "other-run", and got an AttributeError: 'str' object has no attribute."""

import json
import shutil

import pytest

from clx.errors import ConfigError, RunNotFoundError
from clx.ml import training_run
from conftest import fruit_frame


@pytest.fixture
def other(trained):
    return shutil.copytree(trained, trained.with_name("other-run"))


def test_a_name_is_a_run_beside_this_one(trained, other):
    run = training_run(load=trained)
    compared = run.compare("other-run", fruit_frame(12))
    assert compared.names == ("trained", "other-run")
    assert compared.p_value == 1.0


def test_a_path_and_a_name_in_the_default_folder(trained, other, own_data_dir):
    run = training_run(load=trained)
    (own_data_dir / "runs").mkdir()
    named = shutil.move(other, own_data_dir / "runs" / "third")
    for given in ("third", str(named), named):
        assert run.compare(given, fruit_frame(6)).names == ("trained", "third")


def test_a_run_that_is_not_there(trained):
    with pytest.raises(RunNotFoundError, match="no run to load"):
        training_run(load=trained).compare("otter-run", fruit_frame(6))


def test_a_run_of_another_task_is_refused_before_its_task_is_needed(trained, other):
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "task": "not-installed"}))
    with pytest.raises(ConfigError, match="'other-run' is a 'not-installed' run"):
        training_run(load=trained).compare("other-run", fruit_frame(6))


def test_what_is_not_a_run_is_named(trained):
    frame = fruit_frame(6)
    with pytest.raises(ConfigError, match="needs another run, its name or its directory"):
        training_run(load=trained).compare(frame, frame)
