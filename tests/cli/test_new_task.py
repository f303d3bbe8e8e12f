"""``clx new-task`` writes a renamed copy of an example, whose tests pass."""

import re
import tomllib

import pytest

from cli_helpers import Cli, process
from clx.cli.task_template import (
    DEFAULT,
    ORIGINALS,
    renamed,
    template_files,
    write_package,
)
from clx.errors import ConfigError, RunExistsError
from copy_template import example_files


@pytest.fixture
def clx(capsys, monkeypatch):
    return Cli(capsys, monkeypatch)


templates = pytest.mark.parametrize("template", ORIGINALS)


@templates
def test_the_template_is_the_example(template):
    assert len(example_files(template)) >= 6
    assert template_files(template) == example_files(template), "run `make template`"


@templates
def test_names_are_all_renamed(template, clx, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = () if template == DEFAULT else ("--template", template)
    assert clx("new-task", "how-urgent", *given).status == 0
    original = ORIGINALS[template]
    root = tmp_path / "clx-tasks-how-urgent"
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    assert files == sorted(
        renamed(path, original, "how-urgent") for path in example_files(template)
    )
    for path in files:
        left = re.findall(rf"\b{original}\b|{original}(?=Run)", (root / path).read_text(), re.I)
        # A column of the data keeps its name.
        assert set(left) <= ({"similarity"} if template == "pairs" else set()), path
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["name"] == "clx-tasks-how-urgent"
    assert project["entry-points"]["clx.tasks"] == {
        "how-urgent": "clx_tasks_how_urgent:HowUrgentRun"
    }
    assert clx("new-task", "how-urgent").status == 2
    assert "already exists" in clx.err


@pytest.mark.parametrize("name", ["", "My Task", "../x", "a_b", "class", "-a", "a--b", "ä"])
def test_names_that_are_not_valid_for_a_package(tmp_path, name):
    with pytest.raises(ConfigError, match="lower-case letters"):
        write_package(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunExistsError):
        write_package("mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_template(tmp_path):
    with pytest.raises(ConfigError, match=r"spans, number, but is 'spams'; did you mean 'spans'\?"):
        write_package("mine", tmp_path / "new", "spams")


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ORIGINALS if name != DEFAULT]


@pytest.mark.parametrize("template", [DEFAULT, *SLOW])
def test_the_tests_of_the_package_pass(template, tmp_path):
    root, _ = write_package("how-urgent", tmp_path / "package", template)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    info = root / "src" / "clx_tasks_how_urgent-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: clx-tasks-how-urgent\nVersion: 0.1.0\n"
    )
    ((name, value),) = project["entry-points"]["clx.tasks"].items()
    (info / "entry_points.txt").write_text(f"[clx.tasks]\n{name} = {value}\n")
    code = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", str(root))
    done = process(*options, folders=[root / "src"], code=code, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^3\d passed", done.stdout, re.MULTILINE), done.stdout
    assert "how-urgent" in process("tasks", folders=[root / "src"]).stdout
