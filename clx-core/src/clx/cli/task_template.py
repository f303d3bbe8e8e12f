"""Writes the package of ``clx new-task``: a copy of an example package with other names.

The template is a copy of ``examples/clx-tasks-rating`` in the clx repository. Each file name has the
suffix ``.txt``, so that no tool takes the template for clx's own code.
"""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from clx.errors import ConfigError, RunExistsError
from clx.problems import cell

SUFFIX = ".txt"
ORIGINAL = "rating"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_package(name: str, folder: Path | None = None) -> tuple[Path, list[str]]:
    """Write a package with a task called ``name``.

    Args:
        name: the name of the task: lower-case letters, digits and hyphens.
        folder: the folder to write; default ``clx-tasks-NAME`` in the current folder.

    Returns:
        The folder, and the paths of its files relative to it.

    Raises:
        ConfigError: the name is not valid for a package.
        RunExistsError: the folder exists and is not empty.
    """
    module = name.replace("-", "_") if isinstance(name, str) else ""
    if not _NAME.fullmatch(str(name)) or keyword.iskeyword(module):
        raise ConfigError(
            f"The name of a task must consist of lower-case letters and digits, separated by hyphens, "
            f"such as 'my-task', but is {cell(name)}"
        )
    root = Path(f"clx-tasks-{name}") if folder is None else folder
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise RunExistsError(f"{root} already exists: choose another name or --folder")
    written = []
    for path, text in template_files().items():
        target = root / renamed(path, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(renamed(text, name), encoding="utf-8")
        written.append(target.relative_to(root).as_posix())
    return root, written


def template_files() -> dict[str, str]:
    """Return the text of each template file by its path, with the original names."""
    found = {
        path.removesuffix(SUFFIX).replace("dot-", "."): text
        for path, text in _walk(resources.files("clx.cli") / "task_template_files", "")
    }
    return dict(sorted(found.items()))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            found.append((f"{prefix}{entry.name}", entry.read_text(encoding="utf-8")))
    return found


def renamed(text: str, name: str) -> str:
    """Return a path or text of the template with the names of another task."""
    module = name.replace("-", "_")
    title = "".join(part.capitalize() for part in name.split("-"))
    for old, new in (
        (f"clx_tasks_{ORIGINAL}", f"clx_tasks_{module}"),
        (f"clx-tasks-{ORIGINAL}", f"clx-tasks-{name}"),
        (f"test_{ORIGINAL}", f"test_{module}"),
        (ORIGINAL.capitalize(), title),
        (ORIGINAL, name),
    ):
        text = text.replace(old, new)
    return text
