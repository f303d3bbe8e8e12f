"""Hook plugins: finding, registering and calling them (pluggy)."""

from __future__ import annotations

import functools
import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pluggy

from clx import __version__
from clx.errors import ClxError, ClxWarning, PluginError
from clx.ml.plugins import hookspecs
from clx.ml.plugins.entry_points import (
    ALLOW_VARIABLE,
    Failure,
    Plugin,
    allowed,
    installed_distributions,
    read,
    unique,
)
from clx.problems import cell

GROUP = "clx.plugins"

BUILT_IN = ("clx.ml.model.embedded_model", "clx.ml.data.files", "clx.ml.training.metrics_log")
"""Modules of core that use the same hooks as everybody else."""


@dataclass(frozen=True)
class Loaded:
    """A hook plugin that is in use.

    Attributes:
        name: what its entry point, or the caller, calls it.
        distribution: what it comes from; None for one registered in this process.
        version: that distribution's.
        hooks: the hooks that it implements, in the order of their specs.
    """

    name: str
    distribution: str | None
    version: str | None
    hooks: tuple[str, ...]

    @property
    def origin(self) -> str:
        """Name and distribution, as messages have them."""
        if self.distribution is None:
            return f"{self.name} of this process"
        return f"{self.name!r} of {self.distribution} {self.version or ''}".rstrip()


class Plugins:
    """The hook plugins of one process.

    Plugins are loaded at the first use of a hook. One that cannot be imported is left out with a
    warning that names its distribution, and kept in :attr:`failures`.
    """

    def __init__(
        self,
        distributions: Iterable[Any] | None = None,
        built_in: Iterable[str] = BUILT_IN,
        allow: str | None = None,
    ) -> None:
        self._manager = pluggy.PluginManager("clx")
        self._manager.add_hookspecs(hookspecs)
        self._loaded: dict[str, Loaded] = {}
        for module in built_in:
            self._add(Plugin(module, module, "clx-core", __version__))
        found, self.failures = read(
            installed_distributions() if distributions is None else distributions, GROUP
        )
        for plugin in allowed(unique(found), allow):
            self._add(plugin)

    def _add(self, plugin: Plugin) -> None:
        try:
            # With the distribution: two of them may call their plugin the same.
            key = f"{plugin.distribution}:{plugin.name}"
            self._register(
                plugin.load(), key, Loaded(plugin.name, plugin.distribution, plugin.version, ())
            )
        except (Exception, SystemExit) as error:
            self.failures.append(Failure(plugin.origin, plugin.name, error))
            warnings.warn(
                f"The plugin {plugin.name!r} of {plugin.origin} is left out: loading "
                f"{plugin.value!r} raised {type(error).__name__}: {error}",
                ClxWarning,
                stacklevel=2,
            )

    def register(self, plugin: Any, name: str | None = None) -> None:
        """Add an object with ``@hookimpl`` functions, or an object of a class with such methods.

        Raises:
            PluginError: a hook function has a name or argument that no hook has, there is none, or
                the object or name is registered already.
        """
        if isinstance(plugin, type):
            # A notebook cell that is run again makes the class again: the new one counts.
            for other in self._instances(plugin):
                self.unregister(other)
            plugin = plugin()
        self._register(plugin, name, Loaded(repr(name or plugin), None, None, ()))

    def _instances(self, cls: type) -> list[Any]:
        where = (cls.__module__, cls.__qualname__)
        return [
            plugin
            for plugin in self._manager.get_plugins()
            if (type(plugin).__module__, type(plugin).__qualname__) == where
        ]

    def _register(self, plugin: Any, key: str | None, known: Loaded) -> None:
        if self._manager.is_registered(plugin):
            raise PluginError(f"The plugin {known.origin} is already registered")
        try:
            registered = self._manager.register(plugin, key)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            raise PluginError(f"The plugin {known.origin} cannot be used: {error}") from error
        used = {caller.name for caller in self._manager.get_hookcallers(plugin) or ()}
        if not used:
            self._manager.unregister(plugin)
            raise PluginError(
                f"The plugin {known.origin} cannot be used: it has no hook. Mark its functions with "
                f"@hookimpl (from clx.ml import hookimpl)."
            )
        hooks = tuple(name for name in hookspecs.DOING if name in used)
        name = registered or str(key)
        self._loaded[name] = Loaded(known.name, known.distribution, known.version, hooks)

    def unregister(self, plugin: Any) -> None:
        """Remove a plugin that :meth:`register` added.

        Args:
            plugin: the object, its class, or the name that it was registered under.

        Raises:
            PluginError: there is no such plugin.
        """
        known = self._manager.get_plugin(plugin) if isinstance(plugin, str) else plugin
        if isinstance(plugin, type):
            known = next(iter(self._instances(plugin)), None)
        if known is None or not self._manager.is_registered(known):
            raise PluginError(f"The plugin {plugin!r} is not registered")
        self._loaded.pop(str(self._manager.get_name(known)), None)
        self._manager.unregister(known)

    def loaded(self) -> list[Loaded]:
        """Return what is in use: core's own plugins first, then in the order of registration."""
        return list(self._loaded.values())

    def has(self, hook: str) -> bool:
        """Return whether any plugin implements a hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of all plugins; see :mod:`clx.ml.plugins.hookspecs` for what it returns.

        Raises:
            PluginError: a plugin raised; the message names it, its distribution, the hook and what
                clx was doing. A :class:`ClxError` that it raised reaches the user as it is.
        """
        caller = getattr(self._manager.hook, hook)
        try:
            return caller(**arguments)
        except ClxError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self._culprit(caller, error)} raised {type(error).__name__} in {hook}: {error} "
                f"(while {hookspecs.DOING[hook]})"
            ) from error

    def each(
        self,
        hook: str,
        kind: type,
        failed: Callable[[PluginError], None] | None = None,
        **arguments: Any,
    ) -> Iterator[tuple[Loaded, Any]]:
        """Call a hook plugin by plugin and yield each with what it returned, unless that is None.

        Args:
            hook: its name; not one whose first result is taken.
            kind: what a plugin has to return.
            failed: told of a plugin that failed, instead of raising; the others go on.
            **arguments: to the hook.

        Raises:
            PluginError: as :meth:`call`, or a plugin returned something of another type.
        """
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        everybody = [each.plugin for each in implementations]
        for implementation in reversed(implementations):
            others = [plugin for plugin in everybody if plugin is not implementation.plugin]
            caller = self._manager.subset_hook_caller(hook, remove_plugins=others)
            known = self._loaded[implementation.plugin_name]
            try:
                results = _results(caller, hook, known, kind, arguments)
            except PluginError as error:
                if failed is None:
                    raise
                failed(error)
            else:
                yield from ((known, result) for result in results)

    def _culprit(self, caller: pluggy.HookCaller, error: BaseException) -> str:
        codes = set()
        traceback = error.__traceback__
        while traceback is not None:
            codes.add(traceback.tb_frame.f_code)
            traceback = traceback.tb_next
        for implementation in caller.get_hookimpls():
            function = inspect.unwrap(implementation.function)
            if getattr(function, "__code__", None) in codes:
                return f"The plugin {self._loaded[implementation.plugin_name].origin}"
        return "A plugin"


def _results(
    caller: pluggy.HookCaller, hook: str, plugin: Loaded, kind: type, arguments: dict[str, Any]
) -> list[Any]:
    """Return what one plugin returns, none or one result, checked."""
    doing = f"(while {hookspecs.DOING[hook]})"
    try:
        results: list[Any] = caller(**arguments)
    except ClxError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"The plugin {plugin.origin} raised {type(error).__name__} in {hook}: {error} {doing}"
        ) from error
    for result in results:
        if not isinstance(result, kind):
            raise PluginError(
                f"The plugin {plugin.origin} must return a {kind.__name__} from {hook}, but "
                f"returned {cell(result)} {doing}"
            )
    return results


@functools.cache
def plugins() -> Plugins:
    """Return the plugins of this process, loading them at the first call."""
    return Plugins(allow=os.environ.get(ALLOW_VARIABLE))


def register_plugin(plugin: Any, name: str | None = None) -> Any:
    """Add a plugin to this process and return it, for notebooks and tests.

    Args:
        plugin: a module or object with ``@hookimpl`` functions, or a class with such methods, of
            which an object is made, so that this is a decorator too. A class registered again
            under its own module and name replaces the earlier one.
        name: what messages call it.

    Raises:
        PluginError: a hook function has a name or argument that no hook has, there is none, or the
            plugin is registered already.
    """
    plugins().register(plugin, name)
    return plugin


def unregister_plugin(plugin: Any) -> None:
    """Remove a plugin that :func:`register_plugin` added, given as the object, its class or name.

    Raises:
        PluginError: there is no such plugin.
    """
    plugins().unregister(plugin)
