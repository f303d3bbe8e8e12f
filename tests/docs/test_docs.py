"""The code in README and docs runs, and what must be documented is."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from clx.ml import hookimpl, register_plugin, task_registry, unregister_plugin
from clx.ml.plugins import hookspecs
from clx.ml.task import task
from clx.ml.task.options import DEFAULT_BASE_MODEL
from conftest import make_tiny_model
from docs_shell import Shell

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
SKILL = ROOT / "skills" / "clx" / "SKILL.md"
DOCUMENTS = [ROOT / "README.md", SKILL, *PAGES]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path):
    text = path.read_text(encoding="utf-8")
    return [
        (kind, code, text[: match.start()].count("\n") + 2)
        for match in BLOCK.finditer(text)
        for kind, code in [match.groups()]
    ]


WITH_CODE = [path for path in DOCUMENTS if blocks(path)]

ANY_MODEL = """
background/performance how-to/estimate how-to/evaluation how-to/keep-runs-tidy how-to/large-data
how-to/notebooks how-to/pretraining how-to/runtime how-to/scale how-to/scikit-learn
how-to/several-processes how-to/splits how-to/token-classification how-to/tracking how-to/tuning
reference/arguments reference/command-line reference/configuration start/first-task
""".split()
"""Pages that show how something is called, whatever the model predicts.

They run with a tiny base model and one epoch. The others run as a user runs them.
"""


def test_the_sweep_finds_the_documents():
    names = {path.name for path in WITH_CODE}
    assert {"README.md", "arguments.md", "run-directory.md", "write-a-task.md", "hooks.md"} <= names
    assert {"SKILL.md", "first-model.md"} <= names
    assert {ROOT / "docs" / f"{page}.md" for page in ANY_MODEL} <= set(WITH_CODE)
    assert sum(len(blocks(path)) for path in WITH_CODE) >= 150
    assert len(PAGES) >= 42


@pytest.fixture
def registry():
    before = set(task_registry)
    yield
    for name in set(task_registry) - before:
        if name in task_registry:
            task_registry.unregister(name)


class TinyBase:
    """A plugin with which the default base model is tiny, and a training takes one epoch."""

    def __init__(self, folder):
        self.folder = folder

    @hookimpl
    def clx_resolve_base_model(self, name):
        return self.folder if name == DEFAULT_BASE_MODEL else None

    @hookimpl
    def clx_training_arguments(self):
        return {"num_train_epochs": 1}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """A plugin for the pages of any model; its model has the layers of the real one."""
    folder = tmp_path_factory.mktemp("models") / "six-layers"
    return TinyBase(make_tiny_model(folder, num_hidden_layers=6))


@pytest.fixture
def base(request, path):
    """Let the pages of any model have the tiny one."""
    page = path.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/")
    if page not in ANY_MODEL:
        yield
        return
    plugin = register_plugin(request.getfixturevalue("tiny_base"))
    yield
    unregister_plugin(plugin)


def learned_its_three_rows(preds):
    """Check the predictions of the program that the README begins with."""
    assert [max(scores, key=scores.get) for scores in preds] == ["fruit", "fruit", "animal"]
    assert all(list(scores) == ["fruit", "animal"] for scores in preds)


@pytest.mark.parametrize("path", WITH_CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.filterwarnings("default")
def test_code_blocks_run(path, tmp_path, monkeypatch, registry, base, request):
    monkeypatch.chdir(tmp_path)
    if any("import ray\n" in code for _, code, _ in blocks(path)):
        # A process has one connection to Ray, which the tests of clx.ml.batch use too.
        request.getfixturevalue("ray_cluster")
    rows = {"text": ["apple", "cat", "pear", "dog"], "label": ["fruit", "animal"] * 2}
    pd.DataFrame(rows).to_csv("train.csv", index=False)
    pd.DataFrame(rows).to_csv("eval.csv", index=False)
    namespace = {"__name__": f"docs_{path.stem.replace('-', '_')}"}
    monkeypatch.setitem(sys.modules, namespace["__name__"], type(sys)(namespace["__name__"]))
    with Shell() as shell:
        for kind, code, line in blocks(path):
            if kind == "python":
                exec(compile("\n" * (line - 1) + code, str(path), "exec"), namespace)
            else:
                shell.run(code)
    if path.name == "README.md":
        learned_its_three_rows(namespace["preds"])


def test_the_skill_says_when_to_use_it():
    _, front, text = SKILL.read_text(encoding="utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.splitlines())
    # The limits of the format: a name of 64 characters, a description of 1,024.
    assert fields["name"] == SKILL.parent.name
    assert 100 < len(fields["description"]) <= 1024
    assert len(text.splitlines()) < 500


def test_every_hook_has_a_heading():
    hooks = [name for name in vars(hookspecs) if name.startswith("clx_")]
    assert len(hooks) >= 3
    text = (ROOT / "docs" / "reference" / "hooks.md").read_text()
    assert [hook for hook in hooks if f"## {hook}\n" not in text] == []


def test_every_hook_has_a_test():
    hooks = [name for name in vars(hookspecs) if name.startswith("clx_")]
    text = (ROOT / "tests" / "plugins" / "test_plugins.py").read_text()
    assert [hook for hook in hooks if hook not in text] == []


def test_everything_that_an_author_may_override_is_documented():
    names = [name for name in vars(task.Task) if not name.startswith("_")]
    assert len(names) >= 15
    text = (ROOT / "docs" / "reference" / "task-reference.md").read_text()
    assert [name for name in names if name not in text and name != "tokenizer"] == []


def test_every_command_is_documented():
    done = subprocess.run(
        [sys.executable, "-m", "clx", "--help"], capture_output=True, text=True, check=True
    )
    commands = re.findall(r"^  ([a-z][a-z-]*) +[A-Z]", done.stdout, re.MULTILINE)
    assert len(commands) >= 7
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text()
    assert [command for command in commands if f"clx {command}" not in text] == []


def test_relative_links_lead_somewhere():
    checked = 0
    for path in [*DOCUMENTS, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"
            checked += 1
    assert checked >= 6
