"""Names of tasks, as users write them and as runs have them."""

from __future__ import annotations

from collections.abc import Collection

DEFAULT_TASK = "classification"
"""The task of a command that is given none."""


def task_names() -> list[str]:
    """Return the names of all installed tasks; shell completion picks those that match."""
    from clx.ml import task_registry

    return list(task_registry)


def own_name(task: str, present: Collection[str | None]) -> str:
    """Return the own name of a task that was given by its name or by an alias.

    Args:
        task: what the user wrote.
        present: names of tasks that runs have; a task need not be installed to be one of them.

    Raises:
        TaskNotFoundError: there is no such task.
    """
    if task in present:
        return task
    from clx.ml import task_registry

    return str(task_registry[task].name)
