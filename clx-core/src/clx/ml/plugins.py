"""Hook plugins: finding, registering and calling them (pluggy)."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterable
from typing import Any

import pluggy

from clx.errors import ClxError, ClxWarning, PluginError
from clx.ml import hookspecs
from clx.ml.entry_points import (
    ALLOW_VARIABLE,
    Failure,
    Plugin,
    allowed,
    installed_distributions,
    read,
    unique,
)

GROUP = "clx.plugins"

BUILT_IN = ("clx.ml.embedded_model", "clx.ml.data_files", "clx.ml.metrics_log")
"""Modules of core that use the same hooks as everybody else."""


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
        self._origins: dict[str, str] = {}
        for module in built_in:
            self._add(Plugin(module, module, "clx-core", ""))
        found, self.failures = read(
            installed_distributions() if distributions is None else distributions, GROUP
        )
        for plugin in allowed(unique(found), allow):
            self._add(plugin)

    def _add(self, plugin: Plugin) -> None:
        try:
            # With the distribution: two of them may call their plugin the same.
            name = f"{plugin.distribution}:{plugin.name}"
            self._register(plugin.load(), name, f"{plugin.name!r} of {plugin.origin}")
        except (Exception, SystemExit) as error:
            self.failures.append(Failure(plugin.origin, plugin.name, error))
            warnings.warn(
                f"The plugin {plugin.name!r} of {plugin.origin} is left out: loading "
                f"{plugin.value!r} raised {type(error).__name__}: {error}",
                ClxWarning,
                stacklevel=2,
            )

    def register(self, plugin: Any, name: str | None = None, origin: str = "this process") -> None:
        """Add an object with ``@hookimpl`` functions, for notebooks and tests.

        Raises:
            PluginError: a hook function has a name or argument that no hook has.
        """
        self._register(plugin, name, f"{name or plugin!r} of {origin}")

    def _register(self, plugin: Any, name: str | None, origin: str) -> None:
        if self._manager.is_registered(plugin):
            raise PluginError(f"The plugin {origin} is already registered")
        try:
            registered = self._manager.register(plugin, name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            raise PluginError(f"The plugin {origin} cannot be used: {error}") from error
        self._origins[registered or str(name)] = origin

    def unregister(self, plugin: Any) -> None:
        """Remove a plugin that :meth:`register` added."""
        self._manager.unregister(plugin)

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call a hook of all plugins; see :mod:`clx.ml.hookspecs` for what it returns.

        Raises:
            PluginError: a plugin raised; the message names it, its distribution and the hook. A
                :class:`ClxError` that it raised reaches the user as it is.
        """
        caller = getattr(self._manager.hook, hook)
        try:
            return caller(**arguments)
        except ClxError:
            raise
        except Exception as error:
            raise PluginError(
                f"{self._culprit(caller, error)} raised {type(error).__name__} in {hook}: {error}"
            ) from error

    def _culprit(self, caller: pluggy.HookCaller, error: Exception) -> str:
        codes = set()
        traceback = error.__traceback__
        while traceback is not None:
            codes.add(traceback.tb_frame.f_code)
            traceback = traceback.tb_next
        for implementation in caller.get_hookimpls():
            if getattr(implementation.function, "__code__", None) in codes:
                return f"The plugin {self._origins[implementation.plugin_name]}"
        return "A plugin"


@functools.cache
def plugins() -> Plugins:
    """Return the plugins of this process, loading them at the first call."""
    return Plugins(allow=os.environ.get(ALLOW_VARIABLE))
