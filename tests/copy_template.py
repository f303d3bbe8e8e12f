"""Copies examples into clx-core as the templates of ``clx new-task``."""

from __future__ import annotations

import shutil
from pathlib import Path

from clx.cli.task_template import ORIGINALS

ROOT = Path(__file__).parents[1]
TEMPLATES = ROOT / "clx-core" / "src" / "clx" / "cli" / "task_template_files"
NOT_COPIED = ("__pycache__", ".pytest_cache", "dist", ".venv")


def example_files(template: str) -> dict[str, str]:
    """Return the texts of a template's example by their paths."""
    example = ROOT / "examples" / f"clx-tasks-{ORIGINALS[template]}"
    return {
        path.relative_to(example).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(example.rglob("*"))
        if path.is_file() and not set(path.relative_to(example).parts) & set(NOT_COPIED)
    }


def template_name(path: str) -> str:
    """Return what a file is called in the template: wheels may leave dots at the beginning out."""
    parts = [f"dot-{part[1:]}" if part.startswith(".") else part for part in path.split("/")]
    return "/".join(parts) + ".txt"


if __name__ == "__main__":
    shutil.rmtree(TEMPLATES, ignore_errors=True)
    for template in ORIGINALS:
        for name, text in example_files(template).items():
            target = TEMPLATES / template / template_name(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
