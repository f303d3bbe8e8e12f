"""Plugins that are really installed: distributions with metadata in a folder on ``PYTHONPATH``.

Every check is a process of its own, since the registry reads the installed metadata once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TASK = """
from clx.ml import TrainingRun

class MyTrainingRun(TrainingRun):
    name = {name!r}
    aliases = {aliases!r}
    pipeline_args = {{"task": "text-classification"}}

    def validate_data_format(self, data):
        pass

    def load_model(self, model_name=None):
        pass
"""


def task_source(name="my-custom-task", aliases=()):
    return TASK.format(name=name, aliases=aliases)


def install(folder: Path, name: str, entry_points: str, version: str = "1.0", **modules: str):
    """Write a distribution as pip would: its modules and its dist-info."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(entry_points)
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source)


def python(code: str, *folders: Path, **environment: str) -> str:
    """Run code in a process that sees these folders as installed, and return what it prints."""
    paths = os.pathsep.join(filter(None, [*map(str, folders), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tasks_of(*folders: Path, **environment: str) -> list[str]:
    code = "import json; from clx.ml import task_registry as r; print(json.dumps(list(r)))"
    return json.loads(python(code, *folders, **environment))


@pytest.fixture
def mine(tmp_path) -> Path:
    """A folder with the distribution my-package, which has the task my-custom-task."""
    folder = tmp_path / "mine"
    points = "[clx.tasks]\nmy-custom-task = my_package:MyTrainingRun\n"
    install(folder, "my-package", points, my_package=task_source())
    return folder


CHECK = """
import sys
{imports}
from clx.ml import task_registry, training_run
import my_package
assert "my-custom-task" in task_registry
assert task_registry["my-custom-task"] is my_package.MyTrainingRun
assert type(training_run("my-custom-task", "x")) is my_package.MyTrainingRun
assert training_run("my-custom-task", "x").config["task_distribution"] == "my-package"
assert not {{"torch", "transformers", "pandas"}} & set(sys.modules)
print("fine")
"""


@pytest.mark.parametrize(
    "imports", ["import my_package\nimport clx.ml", "import clx.ml\nimport my_package", ""]
)
def test_both_import_orders_work(mine, imports):
    assert python(CHECK.format(imports=imports), mine) == "fine"


def test_names_are_there_without_importing_the_package(tmp_path):
    points = "[clx.tasks]\nbad = explodes:Task\n[clx.plugins]\nbad = explodes\n"
    install(tmp_path, "explodes", points, explodes="raise AssertionError('imported')")
    assert "bad" in tasks_of(tmp_path)


def test_the_installed_classification_task_is_found():
    code = """
from clx.ml import task_registry
task = task_registry["classification"]
print(task.__module__.partition(".")[0], task.name)
"""
    assert python(code) == "clx_tasks_classification classification"


CAUGHT = """
from clx.ml import task_registry
for name in {names!r}:
    try:
        print(name, "works:", task_registry[name].__module__)
    except Exception as error:
        print(name, type(error).__name__, str(error).replace("\\n", " "), repr(error.__cause__))
"""


def caught(names, *folders, **environment):
    lines = python(CAUGHT.format(names=names), *folders, **environment).splitlines()
    assert len(lines) == len(names)
    return dict(zip(names, lines, strict=True))


def test_two_distributions_with_one_name(mine, tmp_path):
    other = tmp_path / "other"
    points = (
        "[clx.tasks]\nmy-custom-task = other_package:MyTrainingRun\nother = other_package:Gone\n"
    )
    install(other, "other-package", points, "2.0", other_package=task_source())
    names = ["my-custom-task", "classification"]
    for folders in ((mine, other), (other, mine)):
        said = caught(names, *folders)
        assert "DuplicateTaskError" in said["my-custom-task"]
        assert "my-package 1.0" in said["my-custom-task"]
        assert "other-package 2.0" in said["my-custom-task"]
        assert "works" in said["classification"]
    chosen = caught(names, mine, other, CLX_PLUGINS="Other_Package, clx-tasks-classification")
    assert chosen["my-custom-task"].endswith("works: other_package")
    assert "works" in chosen["classification"]


def test_the_same_distribution_twice_on_the_path(mine, tmp_path):
    # As an editable install and an old wheel are: the first one's modules and metadata count.
    old = tmp_path / "old"
    points = "[clx.tasks]\nmy-custom-task = my_package.old:MyTrainingRun\n"
    install(old, "My_Package", points, "0.9")
    assert "works: my_package" in caught(["my-custom-task"], mine, old)["my-custom-task"]


def test_broken_and_malformed_distributions_harm_nobody_else(mine, tmp_path):
    bad = tmp_path / "bad"
    install(bad, "exits", "[clx.tasks]\nexits = exits:T\n", exits="import sys; sys.exit(0)")
    install(bad, "fails", "[clx.tasks]\nfails = fails:T\n", fails="import nothing_like_this")
    install(bad, "typo", "[clx.tasks]\ntypo = typo:T\n", typo="class T(:")
    install(bad, "hollow", "[clx.tasks]\nhollow = hollow:T\nempty = \n", hollow="")
    install(bad, "garbled", "[clx.tasks]\nthis is no entry point\n")
    install(bad, "scripts", "[console_scripts]\nneither is this\n")
    (bad / "nameless-1.dist-info").mkdir()
    (bad / "nameless-1.dist-info" / "entry_points.txt").write_text("[clx.tasks]\nn = n:T\n")
    broken = ["exits", "fails", "typo", "hollow", "empty"]
    said = caught([*broken, "my-custom-task", "classification", "unknown"], bad, mine)
    for name in broken:
        assert f"{name} PluginError" in said[name]
        assert not said[name].endswith("None"), "the cause is lost"
    assert "SystemExit(0)" in said["exits"]
    assert "ModuleNotFoundError" in said["fails"]
    assert "works" in said["my-custom-task"]
    assert "works" in said["classification"]
    assert "garbled" in said["unknown"]
    assert "exits 1.0" in said["unknown"]


OURS = """classification distill-mlm mlm multi-label-classification multilabel ner text-classification
token-classification""".split()


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, sorted([*OURS, "my-custom-task"])),
        ("", sorted(OURS)),
        ("my_package", ["my-custom-task"]),
        (
            "MY.PACKAGE,clx_tasks_classification",
            ["classification", "my-custom-task", "text-classification"],
        ),
        ("nothing", []),
    ],
)
def test_clx_plugins_limits_what_is_considered(mine, value, names):
    environment = {} if value is None else {"CLX_PLUGINS": value}
    assert tasks_of(mine, **environment) == names


def test_alias_of_an_installed_task(tmp_path):
    points = "[clx.tasks]\nfull-name = aliased:MyTrainingRun\n"
    install(tmp_path, "aliased", points, aliased=task_source("full-name", ("short",)))
    assert "works: aliased" in caught(["short"], tmp_path)["short"]


HOOKS = """
from clx.ml import hookimpl

@hookimpl
def clx_open_data(source):
    if source.startswith("numbers:"):
        import pandas as pd
        return pd.DataFrame({"text": [source], "label": [1]})
"""

OPEN = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from clx.ml.data import to_frame
    print(to_frame("numbers:5")["text"][0])
print([f"{w.category.__name__}: {w.message}" for w in caught])
"""


def test_hook_plugins_are_found_and_a_broken_one_is_left_out_with_a_warning(tmp_path):
    install(tmp_path, "hooks", "[clx.plugins]\nhooks = my_hooks\n", my_hooks=HOOKS)
    install(tmp_path, "bad-hooks", "[clx.plugins]\nbad = bad_hooks\n", bad_hooks="1 / 0")
    text, warned = python(OPEN, tmp_path).splitlines()
    assert text == "numbers:5"
    assert "ClxWarning: The plugin 'bad' of bad-hooks 1.0 is left out" in warned
    assert "ZeroDivisionError" in warned


def test_clx_plugins_limits_hook_plugins_too(tmp_path):
    install(tmp_path, "hooks", "[clx.plugins]\nhooks = my_hooks\n", my_hooks=HOOKS)
    install(tmp_path, "bad-hooks", "[clx.plugins]\nbad = bad_hooks\n", bad_hooks="1 / 0")
    assert python(OPEN, tmp_path, CLX_PLUGINS="hooks").splitlines() == ["numbers:5", "[]"]
