"""The conformance kit finds every planted fault."""

import importlib.util
import inspect
import sys

import pytest

from clx.ml import TrainingRun
from clx.testing import CHECKS
from clx.testing.conformance import run_check
from clx.testing.subject import STEPS, Subject
from kit_mutants import EXAMPLES, MUTANTS

NEED_ALL_STEPS = ("learns", "resumes")


def load(path, monkeypatch):
    """Import a mutant and return its task."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    (task,) = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, TrainingRun) and value is not TrainingRun
    ]
    return task


def test_there_are_enough_mutants_and_each_check_has_one():
    assert len(MUTANTS) >= 25
    assert len({mutant.fault for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.check for mutant in MUTANTS} == set(CHECKS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.fault.replace(" ", "-"))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_kit_finds(mutant, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES / "clx-tasks-similarity" / "src"))
    task = load(mutant.write(tmp_path), monkeypatch)
    subject = Subject(task, steps=STEPS if mutant.check in NEED_ALL_STEPS else 4)
    try:
        result = run_check(CHECKS[mutant.check], subject)
    finally:
        subject.close()
    assert result.outcome == ("warned" if mutant.check == "quick_import" else "failed"), result
    said = str(result)
    assert "What a user sees: " in said
    assert result.saw
    assert "Why it matters: " in said
    assert task.__name__ in said or task.__module__ in said, "the result does not say where"
    assert "subject.py" not in said, "the kit itself raised"
