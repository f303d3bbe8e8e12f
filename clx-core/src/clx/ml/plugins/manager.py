"""Find, register and call hook plugins (pluggy)."""

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
from clx_runtime.callers import user_level

GROUP = "clx.plugins"

BUILT_IN = (
    "clx.ml.model.embedded_model",
    "clx.ml.model.preset_models",
    "clx.ml.data.files",
    "clx.ml.training.metrics_log",
)
"""Modules of clx-core that implement the same hooks as any other plugin."""


@dataclass(frozen=True)
class Loaded:
    """A hook plugin that is in use.

    Attributes:
        name: the name of its entry point, or the one that it was registered under.
        distribution: its distribution, None for a plugin that was registered in this process.
        version: the version of the distribution.
        hooks: the hooks that it implements, in the order of their specs.
    """

    name: str
    distribution: str | None
    version: str | None
    hooks: tuple[str, ...]

    @property
    def origin(self) -> str:
        """The name and distribution, for messages."""
        if self.distribution is None:
            return f"{self.name} of this process"
        return f"{self.name!r} of {self.distribution} {self.version or ''}".rstrip()


class Plugins:
    """The hook plugins of one process.

    A plugin that cannot be imported is left out with a warning that names its distribution, and is
    listed in :attr:`failures`.

    Args:
        distributions: the distributions to search, None for the installed ones.
        built_in: names of the modules that are loaded first.
        allow: the value of ``CLX_PLUGINS``, None if it is not set.
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
            # The distribution is part of the key: two may give their plugin the same name.
            key = f"{plugin.distribution}:{plugin.name}"
            self._register(
                plugin.load(), key, Loaded(plugin.name, plugin.distribution, plugin.version, ())
            )
        except (Exception, SystemExit) as error:
            self.failures.append(Failure(plugin.origin, plugin.name, error))
            message = (
                f"The plugin {plugin.name!r} of {plugin.origin} is left out: loading "
                f"{plugin.value!r} raised {type(error).__name__}: {error}"
            )
            warnings.warn(message, ClxWarning, stacklevel=user_level())

    def register(self, plugin: Any, name: str | None = None) -> None:
        """Add a plugin; see :func:`register_plugin`.

        Raises:
            PluginError: a hook function has a name or argument that no hook has, there is no hook
                function, or the object or name is already registered.
        """
        if isinstance(plugin, type):
            # A notebook cell that is run again defines the class again: the new class replaces the old.
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
            PluginError: no such plugin is registered.
        """
        known = self._manager.get_plugin(plugin) if isinstance(plugin, str) else plugin
        if isinstance(plugin, type):
            known = next(iter(self._instances(plugin)), None)
        if known is None or not self._manager.is_registered(known):
            raise PluginError(f"The plugin {plugin!r} is not registered")
        self._loaded.pop(str(self._manager.get_name(known)), None)
        self._manager.unregister(known)

    def loaded(self) -> list[Loaded]:
        """Return the plugins in use: those of clx-core first, then in the order of registration."""
        return list(self._loaded.values())

    def has(self, hook: str) -> bool:
        """Return whether any plugin implements a hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of all plugins; :mod:`clx.ml.plugins.hookspecs` describes the results.

        Raises:
            PluginError: a plugin raised an exception. The message names the plugin, its
                distribution, the hook, and what clx was doing. A :class:`ClxError` of a plugin
                passes unchanged.
        """
        caller = getattr(self._manager.hook, hook)
        try:
            return caller(**arguments)
        except ClxError:
            raise
        except (Exception, SystemExit) as error:
            raise _hook_failure(self._culprit(caller, error), hook, error) from error

    def each(
        self,
        hook: str,
        kind: type,
        failed: Callable[[PluginError], None] | None = None,
        **arguments: Any,
    ) -> Iterator[tuple[Loaded, Any]]:
        """Call a hook plugin by plugin; yield each plugin with its result, unless that is None.

        Args:
            hook: the name of the hook; not one whose first result wins.
            kind: the type that a plugin must return.
            failed: called with the error of a plugin that fails, and the next plugin follows; by
                default the error is raised.
            **arguments: the arguments of the hook.

        Raises:
            PluginError: as for :meth:`call`, or a plugin returned a value of another type.
        """
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        everyone = [each.plugin for each in implementations]
        for implementation in reversed(implementations):
            others = [plugin for plugin in everyone if plugin is not implementation.plugin]
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
        """Return the plugin whose hook function is in the traceback, for messages."""
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
    """Call a hook of one plugin; return its result in a list, which is empty if that is None."""
    try:
        results: list[Any] = caller(**arguments)
    except ClxError:
        raise
    except (Exception, SystemExit) as error:
        raise _hook_failure(f"The plugin {plugin.origin}", hook, error) from error
    for result in results:
        if not isinstance(result, kind):
            raise PluginError(
                f"The plugin {plugin.origin} must return a {kind.__name__} from {hook}, but "
                f"returned {cell(result)} (while {hookspecs.DOING[hook]})"
            )
    return results


def _hook_failure(culprit: str, hook: str, error: BaseException) -> PluginError:
    # SystemExit is caught too: a plugin must not end the process that called it.
    return PluginError(
        f"{culprit} raised {type(error).__name__} in {hook}: {error} "
        f"(while {hookspecs.DOING[hook]})"
    )


@functools.cache
def plugins() -> Plugins:
    """Return the hook plugins of this process; the first call loads them."""
    return Plugins(allow=os.environ.get(ALLOW_VARIABLE))


def register_plugin(plugin: Any, name: str | None = None) -> Any:
    """Add a plugin to this process and return it, for notebooks and tests; usable as a decorator.

    Args:
        plugin: a module or object with ``@hookimpl`` functions, or a class with such methods, which
            is instantiated without arguments. A class with the module and name of a registered class
            replaces it.
        name: the plugin's name in messages, and for :func:`unregister_plugin`.

    Raises:
        PluginError: a hook function has a name or argument that no hook has, there is no hook
            function, or the plugin is already registered.
    """
    plugins().register(plugin, name)
    return plugin


def unregister_plugin(plugin: Any) -> None:
    """Remove a plugin that :func:`register_plugin` added.

    Args:
        plugin: the object, its class, or the name that it was registered under.

    Raises:
        PluginError: no such plugin is registered.
    """
    plugins().unregister(plugin)
