"""Commands that plugins add. clx imports the plugins only for a command that is not its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from clx.errors import PluginError


def commands_of_plugins(own: Collection[str]) -> dict[str, Callable[..., Any]]:
    """Return the plugins' commands by name.

    Args:
        own: the names of clx's own commands.

    Raises:
        PluginError: a plugin raised, returned something other than functions, or uses a name that
            is already taken. The message names the plugin and its distribution.
    """
    from clx.ml.plugins.manager import plugins

    found: dict[str, Callable[..., Any]] = {}
    origins = dict.fromkeys(own, "clx itself")
    for plugin, functions in plugins().each("clx_commands", list):
        for function in functions:
            name = command_name(function)
            if name is None:
                raise PluginError(
                    f"The plugin {plugin.origin} must return named functions from clx_commands, but it "
                    f"returned {function!r}"
                )
            if name in origins:
                raise PluginError(
                    f"The command {name!r} of the plugin {plugin.origin} already belongs to "
                    f"{origins[name]}. Uninstall one of them, or exclude it with CLX_PLUGINS."
                )
            origins[name] = f"the plugin {plugin.origin}"
            found[name] = function
    return found


def command_name(function: Any) -> str | None:
    """Return the name of the command that a function becomes, or None if the function has no name."""
    name = getattr(function, "__name__", "")
    if not callable(function) or not name.isidentifier():
        return None
    return str(name.strip("_").lower().replace("_", "-"))
