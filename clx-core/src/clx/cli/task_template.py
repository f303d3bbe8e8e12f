"""Writes the package of ``clx new-task``: a copy of an example package with other names.

Each template is a copy of a package in the folder ``examples`` of the clx repository. Each file name has
the suffix ``.txt``, so that no tool takes the template for clx's own code.
"""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from clx.errors import ConfigError, RunExistsError
from clx.problems import cell, did_you_mean, names

SUFFIX = ".txt"
ORIGINALS = {"classification": "topic", "pairs": "similarity", "spans": "ner", "number": "rating"}
"""The templates, and the names in the packages that they are copies of."""

TASKS = {"ner": "entities"}
"""The names of tasks that are called otherwise than their packages."""

DEFAULT = "number"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_package(
    name: str, folder: Path | None = None, template: str = DEFAULT
) -> tuple[Path, list[str]]:
    """Write a package with a task called ``name``.

    Args:
        name: the name of the task: lower-case letters, digits and hyphens.
        template: what the task predicts, a key of :data:`ORIGINALS`.
        folder: the folder to write; default ``clx-tasks-NAME`` in the current folder.

    Returns:
        The folder, and the paths of its files relative to it.

    Raises:
        ConfigError: the name is not valid for a package, or there is no such template.
        RunExistsError: the folder exists and is not empty.
    """
    module = name.replace("-", "_") if isinstance(name, str) else ""
    if not _NAME.fullmatch(str(name)) or keyword.iskeyword(module):
        raise ConfigError(
            f"The name of a task must consist of lower-case letters and digits, separated by hyphens, "
            f"such as 'my-task', but is {cell(name)}"
        )
    if template not in ORIGINALS:
        raise ConfigError(
            f"The template must be one of {names(ORIGINALS)}, but is {cell(template)}"
            f"{did_you_mean(str(template), ORIGINALS)}"
        )
    root = Path(f"clx-tasks-{name}") if folder is None else folder
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise RunExistsError(f"{root} already exists: choose another name or --folder")
    written = []
    original = ORIGINALS[template]
    for path, text in template_files(template).items():
        target = root / renamed(path, original, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(renamed(text, original, name), encoding="utf-8")
        written.append(target.relative_to(root).as_posix())
    return root, written


def template_files(template: str) -> dict[str, str]:
    """Return the text of each file of a template by its path, with the original names."""
    folder = resources.files("clx.cli") / "task_template_files" / template
    found = {
        path.removesuffix(SUFFIX).replace("dot-", "."): text for path, text in _walk(folder, "")
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


def renamed(text: str, original: str, name: str) -> str:
    """Return a path or text of a template with the names of another task.

    Only names of the task change, because columns and words may be called like the original task.
    """
    module = name.replace("-", "_")
    title = "".join(part.capitalize() for part in name.split("-"))
    task = TASKS.get(original, original)
    for old, new in (
        (f"clx_tasks_{original}", f"clx_tasks_{module}"),
        (f"clx-tasks-{original}", f"clx-tasks-{name}"),
        (f"test_{original}", f"test_{module}"),
        (f"{original.capitalize()}Run", f"{title}Run"),
        (f"Test{original.capitalize()}", f"Test{title}"),
        (f'name = "{task}"', f'name = "{name}"'),
        (f'training_run("{task}"', f'training_run("{name}"'),
        (f"\n{task} = ", f"\n{name} = "),
        (f"task `{task}`", f"task `{name}`"),
        (f"task ``{task}``", f"task ``{name}``"),
        (f"task {task} for", f"task {name} for"),
        (f"check-task {task}", f"check-task {name}"),
    ):
        text = text.replace(old, new)
    return text
