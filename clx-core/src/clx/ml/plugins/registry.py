"""``task_registry``: task names from installed metadata, classes imported on first use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from clx.errors import DuplicateTaskError, PluginError, TaskNotFoundError
from clx.ml.plugins.entry_points import (
    ALLOW_VARIABLE,
    Failure,
    Plugin,
    allowed,
    by_name,
    installed_distributions,
    read,
    unique,
)
from clx.ml.task.checks import check_task
from clx.ml.task.names import own_aliases
from clx.problems import closest, names

GROUP = "clx.tasks"

T = TypeVar("T", bound=type)
B = TypeVar("B")

_KNOWN_PACKAGES = {
    "classification": "clx-tasks-classification",
    "text-classification": "clx-tasks-classification",
    "multi-label-classification": "clx-tasks-multilabel",
    "multilabel": "clx-tasks-multilabel",
    "token-classification": "clx-tasks-tokens",
    "ner": "clx-tasks-tokens",
    "mlm": "clx-tasks-pretraining",
    "distill-mlm": "clx-tasks-pretraining",
}
"""Hints for an error message; a task is registered by the entry point of its package."""


@dataclass(frozen=True)
class TaskEntry:
    """The providers of a task name, as known without importing a plugin."""

    name: str
    plugins: tuple[Plugin, ...]
    registered: type | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """The providers of the name: distributions with versions, and the registered class."""
        places = tuple(f"{plugin.origin} ({plugin.value})" for plugin in self.plugins)
        return places if self.registered is None else (*places, code_of(self.registered))


class TaskRegistry(Mapping[str, type[B]], Generic[B]):
    """A read-only mapping from task names to task classes.

    Names come from the entry-point group ``clx.tasks`` of the installed distributions; listing them
    imports no plugin. ``task_registry[name]`` imports and checks a class on first use, and keeps it.
    ``name in task_registry`` says whether the name is claimed, not whether its plugin works.

    Raises (by ``task_registry[name]``):
        TaskNotFoundError: there is no such task. It is a ``KeyError``, so ``get`` returns its default.
        DuplicateTaskError: several distributions claim the name.
        PluginError: the plugin cannot be imported (the cause is chained), or is not a valid task.

    Args:
        base: returns the class that every task must extend.
        distributions: returns the installed distributions.
        allow: returns the value of ``CLX_PLUGINS``, None if it is not set.
    """

    def __init__(
        self,
        base: Callable[[], type[B]],
        distributions: Callable[[], Iterable[Any]] = installed_distributions,
        allow: Callable[[], str | None] = lambda: os.environ.get(ALLOW_VARIABLE),
    ) -> None:
        self._base = base
        self._distributions = distributions
        self._allow = allow
        self._registered: dict[str, type] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the installed metadata again, such as after a ``pip install`` in a notebook."""
        self._plugins: Mapping[str, tuple[Plugin, ...]] | None = None
        self._hidden: set[str] = set()
        self._unreadable: list[Failure] = []
        self._loaded: dict[str, type] = {}

    def register(self, task: T) -> T:
        """Add a task class of this process under its name and aliases; usable as a decorator.

        A class with the module and name of a registered class replaces it, so that a notebook cell
        can be run twice.

        Raises:
            PluginError: the class is not a valid task; the message lists every problem.
            DuplicateTaskError: the name belongs to another class.
        """
        check_task(task, self._base(), f"The class {getattr(task, '__qualname__', task)!r}")
        for name in (task.name, *own_aliases(task)):  # type: ignore[attr-defined]
            other = self._registered.get(name) or self._loaded.get(name)
            if other is not None and code_of(other) != code_of(task):
                raise DuplicateTaskError(
                    f"The task name {name!r} is taken by {code_of(other)}; {code_of(task)} cannot "
                    f"use it too. Give one of them another name."
                )
        self._registered = {
            name: cls for name, cls in self._registered.items() if code_of(cls) != code_of(task)
        }
        self._registered |= dict.fromkeys((task.name, *own_aliases(task)), task)  # type: ignore[attr-defined]
        self._loaded = {}
        return task

    def unregister(self, name: str) -> None:
        """Remove the class that :meth:`register` added under ``name``, with all its aliases."""
        task = self._registered.get(name)
        if task is None:
            raise TaskNotFoundError(f"No task {name!r} was registered in this process.")
        self._registered = {key: cls for key, cls in self._registered.items() if cls is not task}
        self._loaded = {}

    def entry(self, name: str) -> TaskEntry:
        """Return the providers of ``name`` without importing a plugin.

        Raises:
            TaskNotFoundError: no distribution and no code of this process claims the name.
        """
        if name not in self:
            raise TaskNotFoundError(f"There is no task {name!r}.")
        return TaskEntry(name, self._scan().get(name, ()), self._registered.get(name))

    @property
    def unreadable(self) -> list[Failure]:
        """The distributions whose metadata cannot be read."""
        self._scan()
        return list(self._unreadable)

    def __getitem__(self, name: str) -> type[B]:
        if name not in self._loaded:
            self._loaded[name] = self._find(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._registered or name in self._scan()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._scan(), *self._registered}))

    def __len__(self) -> int:
        return len({*self._scan(), *self._registered})

    def __repr__(self) -> str:
        return f"<task_registry: {names(self)}>"

    def _scan(self) -> Mapping[str, tuple[Plugin, ...]]:
        if self._plugins is None:
            plugins, self._unreadable = read(self._distributions(), GROUP)
            considered = allowed(unique(plugins), self._allow())
            self._plugins = by_name(considered)
            self._hidden = {plugin.name for plugin in plugins} - set(self._plugins)
        return self._plugins

    def _find(self, name: str) -> type[B]:
        if not isinstance(name, str) or name not in self:
            return self._find_alias(name)
        entry = self.entry(name)
        candidates = []
        if len(entry.plugins) == 1:
            candidates.append(_import(entry.plugins[0], self._base()))
        if entry.registered is not None:
            candidates.append(entry.registered)
        if len(entry.plugins) > 1 or len({code_of(cls) for cls in candidates}) > 1:
            raise DuplicateTaskError(
                f"The task name {name!r} is claimed by {' and by '.join(entry.origins)}. Uninstall "
                f"one of them, or set {ALLOW_VARIABLE} to the distributions to use."
            )
        return candidates[-1]

    def _find_alias(self, name: str) -> type[B]:
        """Return the class that declares ``name`` as an alias without an entry point of its own."""
        found: dict[str, type[B]] = {}
        broken: list[str] = []
        for known in self:
            try:
                task = self[known]
            except PluginError as error:
                broken.append(f"  {known}: {error}")
            else:
                if name in own_aliases(task):
                    found[code_of(task)] = task
        if len(found) > 1:
            raise DuplicateTaskError(
                f"The task alias {name!r} is claimed by {' and by '.join(found)}. Use a full name."
            )
        if found:
            return next(iter(found.values()))
        raise TaskNotFoundError(self._not_found(name, broken))

    def _not_found(self, name: str, broken: list[str]) -> str:
        lines = [f"There is no task {name!r}."]
        match = closest(str(name), [*self, *_KNOWN_PACKAGES])
        if match is not None and match in self:
            lines[0] += f" Did you mean {match!r}?"
        if match in _KNOWN_PACKAGES and match not in self and match not in self._hidden:
            lines.append(f"To get {match!r}: pip install {_KNOWN_PACKAGES[match]}")
        lines.append("Installed tasks:" if len(self) else "No tasks are installed.")
        lines += [f"  {known} ({', '.join(self.entry(known).origins)})" for known in self]
        if self._hidden:
            lines.append(f"Hidden by {ALLOW_VARIABLE}: {names(sorted(self._hidden))}")
        if broken:
            lines += ["Plugins that do not work:", *broken]
        lines += [f"  {bad.origin}: {bad.what}: {bad.cause!r}" for bad in self._unreadable]
        return "\n".join(lines)


def _import(plugin: Plugin, base: type[B]) -> type[B]:
    try:
        candidate = plugin.load()
    except (Exception, SystemExit) as error:
        # SystemExit is caught too: a plugin must not end the process that imports it.
        raise PluginError(
            f"The task {plugin.name!r} of {plugin.origin} cannot be loaded: importing "
            f"{plugin.value!r} raised {type(error).__name__}: {error}. Upgrade or uninstall "
            f"{plugin.distribution}."
        ) from error
    check_task(
        candidate,
        base,
        f"The task {plugin.name!r} of {plugin.origin} ({plugin.value})",
        plugin.name,
    )
    return candidate  # type: ignore[no-any-return]


def code_of(task: type) -> str:
    """Return ``module:name`` of a class, which identifies it in messages and comparisons."""
    return f"{task.__module__}:{task.__qualname__}"
