"""The installed plugins, read from package metadata alone; no plugin is imported.

Each step is a pure function over plain values: read, drop repetitions, restrict, group.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FIRST_PARTY = frozenset(
    {
        "clx-core",
        "clx-tasks-classification",
        "clx-tasks-multilabel",
        "clx-tasks-pretraining",
        "clx-tasks-tokens",
    }
)
"""The distributions of this project, which an empty ``CLX_PLUGINS`` still allows."""

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
        """The distribution and its version, for messages."""
        return f"{self.distribution} {self.version}".strip()

    def load(self) -> Any:
        """Import and return the object that ``value`` (``module:attribute``) names."""
        from importlib_metadata import EntryPoint

        return EntryPoint(self.name, self.value, "clx").load()


@dataclass(frozen=True)
class Failure:
    """A distribution or plugin that cannot be used, and the reason."""

    origin: str
    what: str
    cause: BaseException


def canonical(distribution: str) -> str:
    """Return the normalized name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed_distributions() -> Iterable[Any]:
    """Return the installed distributions, as importlib-metadata finds them."""
    from importlib_metadata import distributions

    found: Iterable[Any] = distributions()
    return found


def read(distributions: Iterable[Any], group: str) -> tuple[list[Plugin], list[Failure]]:
    """Return the entry points of ``group``, and the distributions whose metadata cannot be read.

    Each distribution is read on its own, so that a malformed ``entry_points.txt`` does not hide the
    plugins of other distributions.
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
                # With an editable install and an old wheel, Python imports the first on the path.
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
    """Drop repetitions: a distribution that is on ``sys.path`` twice is not a conflict."""
    seen: dict[tuple[str, str, str], Plugin] = {}
    for plugin in plugins:
        seen.setdefault((plugin.name, plugin.value, plugin.distribution), plugin)
    return list(seen.values())


def allowed(plugins: Iterable[Plugin], allow: str | None) -> list[Plugin]:
    """Return the plugins of the distributions that ``CLX_PLUGINS`` (``a,b``) names.

    None (not set) allows all distributions, an empty value only those of this project.
    """
    if allow is None:
        return list(plugins)
    chosen = {canonical(part.strip()) for part in allow.split(",") if part.strip()} or FIRST_PARTY
    return [plugin for plugin in plugins if plugin.distribution in chosen]


def by_name(plugins: Iterable[Plugin]) -> Mapping[str, tuple[Plugin, ...]]:
    """Return the plugins by name, sorted; several plugins with one name are a conflict."""
    grouped: dict[str, tuple[Plugin, ...]] = {}
    for plugin in plugins:
        grouped[plugin.name] = (*grouped.get(plugin.name, ()), plugin)
    return dict(sorted(grouped.items()))


@functools.cache
def distribution_of(module: str) -> tuple[str | None, str | None]:
    """Return the name and version of the distribution that provides a task's module.

    This is the distribution with an entry point of ``clx.tasks`` that shares the most leading
    packages with the module. Both values are None if there is no such distribution.
    """
    plugins, _ = read(installed_distributions(), "clx.tasks")
    shared = {plugin: _shared_parts(module, plugin.value) for plugin in plugins}
    best = max(shared, key=shared.__getitem__, default=None)
    if best is None or not shared[best]:
        return None, None
    return best.distribution, best.version


def _shared_parts(module: str, value: str) -> int:
    """Return the number of leading packages that a module and an entry point share."""
    pairs = zip(module.split("."), value.partition(":")[0].strip().split("."), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
