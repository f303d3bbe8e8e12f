"""``clx plugins``: list the hook plugins, and those that failed to load."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import typer

from clx.cli.failures import BROKEN
from clx.cli.output import Output
from clx.cli.parameters import JsonOption, NoHeaderOption

if TYPE_CHECKING:
    from clx.ml.plugins.entry_points import Failure
    from clx.ml.plugins.manager import Loaded


def plugins(no_header: NoHeaderOption = False, as_json: JsonOption = False) -> None:
    """Import the hook plugins and list them.

    Prints the name, distribution, version and hooks of each plugin, and why a plugin failed. The exit
    status is 1 if a plugin failed. In a pipe: a heading and one plugin per line, fields separated by
    tabs.
    """
    with Output(as_json, no_header) as out:
        from clx.errors import ClxWarning
        from clx.ml.plugins.manager import plugins as hook_plugins

        with warnings.catch_warnings():
            # The list contains what the warnings would say.
            warnings.simplefilter("ignore", ClxWarning)
            loaded, failures = hook_plugins().loaded(), hook_plugins().failures
        found = [*map(_described, loaded), *map(_failed, failures)]
        if as_json:
            out.json(found)
        else:
            out.table(("plugin", "distribution", "hooks", "state"), map(_row, found))
    if failures:
        raise typer.Exit(BROKEN)


def _described(plugin: Loaded) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "hooks": list(plugin.hooks),
        "problem": None,
    }


def _failed(failure: Failure) -> dict[str, Any]:
    distribution, _, version = failure.origin.partition(" ")
    return {
        "name": failure.what,
        "distribution": distribution,
        "version": version,
        "hooks": [],
        "problem": f"{type(failure.cause).__name__}: {failure.cause}",
    }


def _row(plugin: dict[str, Any]) -> list[str]:
    origin = f"{plugin['distribution'] or 'this process'} {plugin['version'] or ''}".strip()
    state = f"failed: {plugin['problem']}" if plugin["problem"] else "works"
    return [plugin["name"], origin, ", ".join(plugin["hooks"]), state]
