"""Which plugins are installed, read from package metadata alone: nothing is imported here.

Small steps, each a pure function over plain values: read, drop repetitions, restrict, group.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FIRST_PARTY = frozenset({"clx-core", "clx-tasks-classification", "clx-tasks-multilabel"})
"""Distributions of this project: those that an empty ``CLX_PLUGINS`` leaves."""

ALLOW_VARIABLE = "CLX_PLUGINS"


@dataclass(frozen=True)
class Plugin:
    """One entry point and the distribution that declares it."""

    name: str
    value: str
    distribution: str
    version: str

    @property
    def origin(self) -> str:
        """The distribution with its version, as messages name it."""
        return f"{self.distribution} {self.version}".strip()

    def load(self) -> Any:
        """Import and return the object that ``value`` (``module:attribute``) names."""
        from importlib_metadata import EntryPoint

        return EntryPoint(self.name, self.value, "clx").load()


@dataclass(frozen=True)
class Failure:
    """A distribution or plugin that could not be used, and why."""

    origin: str
    what: str
    cause: BaseException


def canonical(distribution: str) -> str:
    """Return a distribution's name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed_distributions() -> Iterable[Any]:
    """Yield the installed distributions, as importlib-metadata knows them."""
    from importlib_metadata import distributions

    found: Iterable[Any] = distributions()
    return found


def read(distributions: Iterable[Any], group: str) -> tuple[list[Plugin], list[Failure]]:
    """Return the entry points of ``group``, and the distributions whose metadata cannot be read.

    One malformed ``entry_points.txt`` must not hide everybody else's plugins, so each
    distribution is read on its own.
    """
    plugins: list[Plugin] = []
    failures: list[Failure] = []
    seen: set[str] = set()
    for distribution in distributions:
        try:
            text = distribution.read_text("entry_points.txt")
            if not text or f"[{group}]" not in text.replace(" ", ""):
                continue
            name, version = canonical(distribution.metadata["Name"]), distribution.version
            if name in seen:
                # An editable install and an old wheel: the first on the path is what is imported.
                continue
            seen.add(name)
            plugins += [
                Plugin(point.name, point.value, name, version)
                for point in distribution.entry_points
                if point.group == group
            ]
        except Exception as error:
            failures.append(Failure(_name_of(distribution), "its metadata cannot be read", error))
    return plugins, failures


def _name_of(distribution: Any) -> str:
    try:
        return canonical(distribution.metadata["Name"])
    except Exception:
        return str(getattr(distribution, "_path", distribution))


def unique(plugins: Iterable[Plugin]) -> list[Plugin]:
    """Drop repetitions: a distribution found twice on ``sys.path`` is not a conflict."""
    seen: dict[tuple[str, str, str], Plugin] = {}
    for plugin in plugins:
        seen.setdefault((plugin.name, plugin.value, plugin.distribution), plugin)
    return list(seen.values())


def allowed(plugins: Iterable[Plugin], allow: str | None) -> list[Plugin]:
    """Keep the plugins of the distributions that ``CLX_PLUGINS`` (``a,b``) names.

    None (not set) keeps all; an empty value keeps the first-party ones only.
    """
    if allow is None:
        return list(plugins)
    chosen = {canonical(part.strip()) for part in allow.split(",") if part.strip()} or FIRST_PARTY
    return [plugin for plugin in plugins if plugin.distribution in chosen]


def by_name(plugins: Iterable[Plugin]) -> Mapping[str, tuple[Plugin, ...]]:
    """Return the plugins under their names, sorted; more than one under a name is a conflict."""
    grouped: dict[str, tuple[Plugin, ...]] = {}
    for plugin in plugins:
        grouped[plugin.name] = (*grouped.get(plugin.name, ()), plugin)
    return dict(sorted(grouped.items()))


@functools.cache
def distribution_of(module: str) -> tuple[str | None, str | None]:
    """Return name and version of the distribution that provides a task's module, else Nones.

    It is the one that declares an entry point of ``clx.tasks`` in the same top-level package.
    """
    plugins, _ = read(installed_distributions(), "clx.tasks")
    shared = {plugin: _shared_parts(module, plugin.value) for plugin in plugins}
    best = max(shared, key=shared.__getitem__, default=None)
    if best is None or not shared[best]:
        return None, None
    return best.distribution, best.version


def _shared_parts(module: str, value: str) -> int:
    """Return how many leading packages a module and an entry point's value have in common."""
    pairs = zip(module.split("."), value.partition(":")[0].strip().split("."), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
