"""The house stays one that a newcomer can live in: small modules, and rooms with closed doors."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from clx.testing.class_checks import PUBLIC_MODULES

SOURCE = Path(__file__).parents[2] / "clx-core" / "src"
MODULES = [path for path in SOURCE.rglob("*.py") if "template_files" not in str(path)]
LONGEST = 300
LONGEST_OF_REPORT = 400
"""A page is one thing: its charts and its script read better together."""


def name_of(path):
    return path.relative_to(SOURCE).as_posix()


def room_of(path):
    """Return the folder of clx.ml, or the package beside it, that a module is in."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:3] if parts[1:2] == ("ml",) else parts[:2])


def test_the_sweep_finds_the_modules():
    assert len(MODULES) > 150
    assert len({room_of(path) for path in MODULES}) > 20


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_long(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    usual = LONGEST_OF_REPORT if "report" in path.parts else LONGEST
    assert lines <= usual


def test_a_file_is_public_and_a_folder_is_a_room():
    files = {f"clx.ml.{path.stem}" for path in (SOURCE / "clx" / "ml").glob("*.py")}
    public = {name for name in PUBLIC_MODULES if name.startswith("clx.ml.")}
    packages = {"clx.ml.data", "clx.ml.plugins", "clx.ml.report"}
    assert files - {"clx.ml.__init__"} == public - packages


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def defined_privately():
    """Return private name → the rooms that define it, as a function, class, method or attribute."""
    rooms = defaultdict(set)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = None
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                name = node.name
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                name = node.attr
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                name = node.id
            if name is not None and is_private(name):
                rooms[name].add(room_of(path))
    return rooms


def private_uses(tree):
    """Yield the private names that a module takes from other objects and modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clx."):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in ("self", "cls")):
                yield node.attr


def test_no_room_uses_the_private_names_of_another():
    rooms = defined_privately()
    assert len(rooms) > 300
    found = [
        f"{name_of(path)} uses {name} of {sorted(rooms[name])}"
        for path in MODULES
        for name in private_uses(ast.parse(path.read_text(encoding="utf-8")))
        # A name that no room defines is one of a library.
        if rooms.get(name) and room_of(path) not in rooms[name]
    ]
    assert found == []
