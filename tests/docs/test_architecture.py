"""docs/background/architecture.md and CONTRIBUTING.md describe the code as it is."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from clx.ml.plugins import hookspecs

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "clx-core" / "src"
ML = SOURCE / "clx" / "ml"
RUNTIME = "clx_runtime"
PAGE = (ROOT / "docs" / "background" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

ROOMS = {path.parent.name for path in ML.glob("*/__init__.py")}
FILES = {path.name for path in ML.glob("*.py")} - {"__init__.py"}
HEADINGS = re.findall(r"^### ([^\n]+)\n\n(.+?)(?=\n\n#)", PAGE, re.MULTILINE | re.DOTALL)
PARAGRAPHS = {name: text for names, text in HEADINGS for name in re.findall(r"`([\w.]+)`", names)}
"""Room or public file → its paragraph, in the order of the page."""

STEP = re.compile(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def layers():
    """Return rooms and public files of clx.ml by layer, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = contracts["tool"]["importlinter"]["contracts"]
    (contract,) = [each for each in contracts if each.get("containers") == ["clx.ml"]]
    return [layer.split(" | ") for layer in contract["layers"]]


IN_ORDER = [name for layer in layers() for name in sorted(layer)]
LEVELS = {name: level for level, layer in enumerate(layers()) for name in layer}


def defined_in(folder):
    """Return the names that the modules of a folder define, and ``class.method``."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            if isinstance(node, ast.ClassDef):
                names |= {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return names


def test_the_sweeps_find_something():
    assert len(ROOMS) >= 13
    assert len(FILES) >= 9
    assert len(STEP.findall(PAGE)) >= 30


def test_every_room_and_every_file_has_its_paragraph():
    assert set(PARAGRAPHS) == ROOMS | FILES


def test_every_room_and_every_file_has_its_layer():
    assert set(IN_ORDER) == ROOMS | {Path(name).stem for name in FILES}


def test_the_page_is_in_the_order_of_the_layers():
    on_page = [LEVELS[Path(name).stem] for name in PARAGRAPHS]
    assert on_page == sorted(on_page)


def test_the_diagram_has_every_room_in_its_order_and_every_arrow_leads_down():
    (diagram,) = re.findall(r"^```mermaid\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    boxes = re.findall(r'^ +(\w+)\["<b>(\w+)</b>', diagram, re.MULTILINE)
    assert [name for name, _ in boxes] == [shown for _, shown in boxes]
    on_diagram = [LEVELS[name] for name, _ in boxes]
    assert {name for name, _ in boxes} == ROOMS
    assert on_diagram == sorted(on_diagram)
    arrows = re.findall(r"^ +(\w+) --> (\w+)$", diagram, re.MULTILINE)
    assert len(arrows) >= 10
    wrong = [
        f"{start} --> {end}"
        for start, end in arrows
        if not LEVELS.get(start, -1) < LEVELS.get(end, len(LEVELS))
    ]
    assert wrong == []


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_the_entry_points_of_a_room_are_in_it(room):
    (listed,) = re.findall(r"Entry\s+points:\s+(.+?)[.;](?:\s|$)", PARAGRAPHS[room], re.DOTALL)
    named = set(re.findall(r"`(\w+)`", listed))
    assert named
    assert named - defined_in(ML / room) == set()


@pytest.mark.parametrize("step", STEP.findall(PAGE), ids=lambda step: f"{step[0]} {step[1]}")
def test_every_step_names_functions_of_its_room(step):
    _, where, functions, _ = step
    room = "task" if where == "the task" else where.strip("`").partition("/")[0]
    names = set(re.findall(r"`([\w.]+)`", functions))
    folder = SOURCE / room if room == RUNTIME else ML / room
    if room == "task":
        names = {f"Task.{name}" for name in names}
    assert names
    assert names - defined_in(folder) == set()


def is_module(path):
    return any((folder / path).is_file() for folder in (ML, SOURCE, ROOT))


@pytest.mark.parametrize("text", [PAGE, CONTRIBUTING], ids=["architecture", "contributing"])
def test_every_path_of_a_module_exists(text):
    paths = re.findall(r"`([\w/-]+\.py)\b[^`]*`", text)
    assert len(paths) >= 20
    assert [each for each in paths if not is_module(each)] == []


def test_every_hook_is_in_the_table():
    named = re.findall(r"^\| `(clx_\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(named) == sorted(hookspecs.DOING)


# ---- State of the whole process ------------------------------------------------------------------

PROCESS_STATE = re.compile(
    r"^@functools\.(lru_)?cache\b"
    r"|os\.environ(\[[^]]+\] = |\.setdefault|\.update|\.pop)|os\.putenv|os\.umask|os\.chdir"
    r"|signal\.signal\(|gc\.(freeze|disable|set_)|\bset_seed\(|^\s*torch\.manual_seed"
    r"|np\.random\.seed|random\.seed|fork_rng|warnings\.(simplefilter|filterwarnings|showwarning)"
    r"|logging\.disable|logging\.basicConfig|\.addFilter\(|disable_progress_bar"
    r"|torch\.(cuda\.)?set_|os\.register_at_fork"
    r"|torch\.backends\.[\w.]+ = |PartialState\(|FileLock\(|^\s+global "
    r"|\.config\.[A-Z_]+ = |quant_utils\.\w+ = |^task_registry",
    re.MULTILINE,
)


def test_every_module_that_changes_the_state_of_the_process_is_in_the_list():
    (section,) = re.findall(r"^## State of the whole process\n(.+)", CONTRIBUTING, re.M | re.DOTALL)
    listed = set(re.findall(r"\| `([\w/]+\.py)` \|", section))
    changing = {
        path.relative_to(root).as_posix()
        for root, folder in ((ML, ML), (SOURCE, SOURCE / RUNTIME))
        for path in folder.rglob("*.py")
        if PROCESS_STATE.search(path.read_text(encoding="utf-8"))
    }
    assert len(changing) >= 12
    assert changing - listed == set()
