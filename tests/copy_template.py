"""Copies examples/clx-tasks-rating into clx-core as the template of ``clx new-task``."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "clx-tasks-rating"
TEMPLATE = ROOT / "clx-core" / "src" / "clx" / "cli" / "task_template_files"
NOT_COPIED = ("__pycache__", ".pytest_cache", "dist", ".venv")


def example_files() -> dict[str, str]:
    """Return the example's texts by their paths."""
    return {
        path.relative_to(EXAMPLE).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(EXAMPLE.rglob("*"))
        if path.is_file() and not set(path.relative_to(EXAMPLE).parts) & set(NOT_COPIED)
    }


def template_name(path: str) -> str:
    """Return what a file is called in the template: wheels may leave dots at the beginning out."""
    parts = [f"dot-{part[1:]}" if part.startswith(".") else part for part in path.split("/")]
    return "/".join(parts) + ".txt"


if __name__ == "__main__":
    shutil.rmtree(TEMPLATE, ignore_errors=True)
    for name, text in example_files().items():
        target = TEMPLATE / template_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
