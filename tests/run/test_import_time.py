"""What must not be imported before it is used: nothing heavy, and no plugin."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "datasets", "pandas", "numpy", "sklearn", "evaluate"}

REPORT = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"


def modules_after(code, *folders):
    """Return the top-level modules that a fresh process has imported after this code."""
    paths = os.pathsep.join(filter(None, [*map(str, folders), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


LIGHT = {
    "import clx": "",
    "import clx.ml": "clx",
    "from clx import training_run, TrainingRun, task_registry, hookimpl": "clx",
    "from clx.ml import TrainingRun, training_run, task_registry, hookimpl": "clx",
    "from clx.ml import task_registry\nassert list(task_registry)": "clx",
    "from clx.ml import task_registry\nassert 'classification' in task_registry": "clx",
    "from clx.settings import LOCAL_DATA_DIR": "platformdirs",
    "import clx.errors, clx.problems": "clx",
    "import clx.ml.data, clx.ml.labels, clx.ml.metrics": "clx",
}


@pytest.mark.parametrize("code", LIGHT)
def test_light_imports(code):
    loaded = modules_after(code)
    assert not loaded & HEAVY
    assert "clx_tasks_classification" not in loaded


def test_clx_has_the_names_of_clx_ml_and_imports_it_when_asked():
    code = """
import sys, clx
assert not [name for name in sys.modules if name.startswith("clx.")], sys.modules
assert "training_run" in dir(clx)
import clx.ml
for name in clx.__all__:
    assert name == "__version__" or getattr(clx, name) is getattr(clx.ml, name)
try:
    clx.trainingrun
except AttributeError as error:
    assert "has no attribute 'trainingrun'" in str(error)
else:
    raise AssertionError
from clx import ml, errors, settings
"""
    modules_after(code)


def test_the_check_sees_what_is_imported():
    # The sweep above can fail: what it looks for is seen when it is there.
    assert {"numpy", "pandas"} <= modules_after("import clx.ml, pandas")
    code = "from clx.ml import task_registry\ntask_registry['classification']"
    assert "clx_tasks_classification" in modules_after(code)


def test_no_plugin_package_is_imported_by_listing(tmp_path):
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "[clx.tasks]\nacme = acme:Task\n[clx.plugins]\nacme = acme\n"
    (info / "entry_points.txt").write_text(points)
    (tmp_path / "acme.py").write_text("")
    code = """
from clx.ml import task_registry
assert "acme" in list(task_registry)
assert len(task_registry) == len(list(task_registry)) >= 2
assert task_registry.entry("acme").origins
"""
    assert "acme" not in modules_after(code, tmp_path)
    assert "acme" in modules_after("import acme", tmp_path)


def test_a_run_is_made_without_anything_heavy():
    code = """
from clx.ml import training_run
run = training_run("classification", "x", label_names=["a", "b"], tokenize_args={"max_length": 9})
assert run.config["label_names"] == ["a", "b"]
assert not run.is_trained
"""
    assert not modules_after(code) & {"torch", "transformers", "datasets", "sklearn"}


def test_wrong_options_are_refused_without_anything_heavy():
    code = """
from clx.ml import training_run
from clx.errors import ConfigError
try:
    training_run("classification", "../x", label_names=["a"], tokenise_args={})
except ConfigError as error:
    assert str(error).count("  - ") == 3, str(error)
else:
    raise AssertionError
"""
    assert not modules_after(code) & {"torch", "transformers", "datasets", "sklearn"}


def test_a_first_prediction_imports_what_it_needs(trained):
    code = f"from clx.ml import training_run\ntraining_run(load={str(trained)!r}).predict('cat')"
    code += "\nimport sys\nassert 'transformers.trainer' not in sys.modules"
    loaded = modules_after(code)
    assert "torch" in loaded
    assert not loaded & {"datasets", "evaluate", "sklearn", "pandas", "matplotlib", "onnxruntime"}
