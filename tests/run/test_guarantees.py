"""Each promise in docs/background/guarantees.md names tests, and they exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows():
    text = (ROOT / "docs" / "background" / "guarantees.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith(("|---", "| promise")):
            promise, held_by = line.strip("|").rsplit("|", 1)
            yield promise.strip(), held_by.strip()


def test_every_promise_names_a_test_or_says_that_there_is_none():
    found = list(rows())
    assert len(found) >= 30
    assert [promise for promise, by in found if not NAME.search(by) and by != "not tested"] == []


def test_the_tests_exist():
    missing, functions = [], {}
    for _, held_by in rows():
        for file, test in NAME.findall(held_by):
            if file not in functions:
                tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
                functions[file] = {
                    node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
                }
            if test not in functions[file]:
                missing.append(f"{file}::{test}")
    assert len(functions) >= 10
    assert missing == []
