"""The pages for authors are whole: tutorial, reference, hooks and kit say what the code says."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from clx.ml.plugins import hookspecs
from clx.ml.task import task
from clx.testing import CHECKS
from clx.testing.class_checks import PUBLIC_MODULES
from kit_mutants import MUTANTS, source

DOCS = Path(__file__).parents[2] / "docs"
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections(page):
    """Return the text under each heading of the second level."""
    parts = re.split(r"^##? (.+)\n", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def signature(name, function):
    function = getattr(function, "__func__", function)
    return f"`{name}{inspect.signature(function)}`".replace("'", "")


HOOKS = [name for name in vars(hookspecs) if name.startswith("clx_")]
TASK = vars(task.Task)
METHODS = [
    name
    for name, value in TASK.items()
    if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, classmethod))
]
ATTRIBUTES = [
    name
    for name, value in TASK.items()
    if not name.startswith("_") and name not in METHODS and not isinstance(value, property)
]


def test_the_sweeps_find_something():
    assert len(HOOKS) >= 10
    assert len(METHODS) >= 18
    assert len(ATTRIBUTES) >= 8


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_its_section(hook):
    text = sections("reference/hooks.md")[hook]
    assert signature(hook, getattr(hookspecs, hook)) in text
    assert "Called: " in text
    assert "Done with the result: " in text
    (example,) = PYTHON.findall(text)
    assert f"def {hook}(" in example


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_a_task_has_its_section(name):
    text = sections("reference/task-reference.md")[name]
    assert signature(name, TASK[name]) in text
    assert "Called: " in text
    assert "Done with the result: " in text
    (example,) = PYTHON.findall(text)
    assert f"def {name}(" in example


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_attribute_of_a_task_has_its_section(name):
    text = sections("reference/task-reference.md")[name]
    assert f"`{name}: " in text
    assert "Looked at: " in text
    assert "Done with it: " in text
    (example,) = PYTHON.findall(text)
    assert re.search(rf"^    (def )?{name}\b", example, re.MULTILINE)


def test_nothing_is_documented_that_is_not_there():
    documented = [
        name for name in sections("reference/task-reference.md") if re.fullmatch(r"[a-z_]+", name)
    ]
    assert sorted(documented) == sorted([*METHODS, *ATTRIBUTES])
    assert [name for name in sections("reference/hooks.md") if name.startswith("clx_")] == list(
        hookspecs.DOING
    )


def test_the_tutorial_begins_with_twelve_lines_and_ends_with_the_example():
    short, whole = (
        PYTHON.findall((DOCS / page).read_text(encoding="utf-8"))
        for page in ("how-to/write-a-task.md", "start/first-task.md")
    )
    assert len([line for line in short[0].splitlines() if line.strip()]) <= 12
    assert short[:2] == whole[:2]
    assert source("rating") in whole


def test_the_kits_page_has_every_check_and_every_fault():
    text = (DOCS / "reference" / "conformance.md").read_text(encoding="utf-8")
    for check in CHECKS.values():
        assert f"| `{check.name}` | {check.what} | {check.why} |" in text
    for mutant in MUTANTS:
        assert f"| {mutant.fault} | `{mutant.check}` |" in text


def test_the_example_of_entities_is_short():
    assert len(source("ner").splitlines()) < 85


# ---- What a task may use -----------------------------------------------------------------------------

HELPERS = sorted(PUBLIC_MODULES - {"clx", "clx.ml"})


def public_names(module):
    """Return the functions and classes of a module as they are called, without annotations."""
    exported = getattr(module, "__all__", None)
    for name in exported or vars(module):
        value = getattr(module, name)
        at_home = exported or getattr(value, "__module__", None) == module.__name__
        if not callable(value) or name.startswith("_") or not at_home:
            continue
        if inspect.isclass(value):
            yield name
            continue
        bare = inspect.signature(value)
        given = [p.replace(annotation=p.empty) for p in bare.parameters.values()]
        yield f"{name}{bare.replace(parameters=given, return_annotation=bare.empty)}"


@pytest.mark.parametrize("module", HELPERS)
def test_every_helper_of_a_public_module_has_its_line(module):
    text = sections("reference/task-reference.md")[module]
    documented = re.findall(r"^- `([^`]+)`: \S", text, re.MULTILINE)
    assert sorted(documented) == sorted(public_names(importlib.import_module(module)))
    assert documented


def test_only_public_modules_are_listed():
    listed = [name for name in sections("reference/task-reference.md") if name.startswith("clx.")]
    assert sorted(listed) == HELPERS
    assert len(HELPERS) >= 16
