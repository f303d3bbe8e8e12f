"""``clx tasks``: list the installed tasks, and check whether they work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clx.cli.failures import BROKEN, complain
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, NoHeaderOption

if TYPE_CHECKING:
    from clx.ml.plugins.registry import TaskEntry


def tasks(
    check: Annotated[
        bool, typer.Option("--check", help="Import every task and report those that are broken.")
    ] = False,
    no_header: NoHeaderOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the installed tasks.

    Prints the name, distribution, version, class and state of each task. Imports the tasks only with
    --check; the exit status is then 1 if a task is broken. In a pipe: a heading and one task
    per line, fields separated by tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.ml.run.opening import task_registry

        entries = [task_registry.entry(name) for name in task_registry]
        found = [described(entry, check) for entry in entries]
        for failure in task_registry.unreadable:
            complain(f"warning: {failure.origin}: {failure.what}: {failure.cause}")
        if as_json:
            out.json(found)
        elif found:
            rows = [row for task in found for row in _rows(task)]
            out.table(("task", "distribution", "class", "state"), rows)
        else:
            complain("No tasks are installed: pip install clx-tasks-classification")
        broken = check and (any(task["problem"] for task in found) or task_registry.unreadable)
    if broken:
        raise typer.Exit(BROKEN)


def _rows(task: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (
            task["name"],
            f"{plugin['distribution']} {plugin['version']}",
            plugin["value"],
            state(task),
        )
        for plugin in task["plugins"]
    ]


def described(entry: TaskEntry, check: bool) -> dict[str, Any]:
    """Return what is known about a task; ``problem`` is None if no problem is known.

    Args:
        entry: the task's entry in the registry.
        check: whether to import the task. Without the import, only conflicts are visible.
    """
    plugins: list[dict[str, Any]] = [
        {
            "distribution": plugin.distribution,
            "version": plugin.version,
            "value": plugin.value,
        }
        for plugin in entry.plugins
    ]
    conflict = len(plugins) > 1
    problem = f"claimed by {' and by '.join(entry.origins)}" if conflict else None
    if check:
        problem = broken_task(entry.name)
    return {
        "name": entry.name,
        "plugins": plugins,
        "conflict": conflict,
        "checked": check,
        "problem": problem,
    }


def broken_task(name: str) -> str | None:
    """Import a task and return why it cannot be used, or None if it can."""
    from clx.errors import ClxError
    from clx.ml.run.opening import task_registry

    try:
        task_registry[name]
    except ClxError as error:
        return str(error)
    return None


def state(task: dict[str, Any]) -> str:
    """Return the value of the list's column ``state``."""
    if task["conflict"]:
        return f"conflict: {task['problem']}"
    if task["problem"]:
        return f"broken: {task['problem']}"
    return "works" if task["checked"] else "installed"
