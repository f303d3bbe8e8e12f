"""The parameters of a training in a tracker: only the options that were set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

from clx.ml.plugins.entry_points import distribution_of
from clx.ml.task.names import attribute_name
from clx.ml.task.options import BY_TASK, OPTIONS

if TYPE_CHECKING:
    from clx.ml.task.task import Task

ALWAYS = ("base_model_name",)
"""Options that are parameters even with their default."""

NEVER = ("report_to",)


def parameters(task: Task, made_with: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task, the options that differ from their defaults, and arguments of the call.

    The entries of a dict such as ``training_args`` are parameters of their own.

    Args:
        task: the task.
        made_with: the options that the run was made with.
        call: arguments of ``train`` that were set.
    """
    found: dict[str, Any] = {"task": task.name}
    defaults = _defaults(task)
    for name, value in made_with.items():
        is_set = name in ALWAYS or value != defaults.get(name)
        if not is_set or name in NEVER:
            continue
        if isinstance(value, dict):
            found |= {f"{name}.{key}": _plain(item) for key, item in value.items()}
        else:
            found[name] = _plain(value)
    found |= {name: _plain(value) for name, value in call.items()}
    return {name: value for name, value in found.items() if not name.endswith(".report_to")}


def _defaults(task: Task) -> dict[str, Any]:
    kind = type(task)
    defaults = {
        option.name: getattr(kind, option.name) if option.default is BY_TASK else option.default
        for option in OPTIONS
    }
    return defaults | {
        name: getattr(kind, name, None) for name in map(attribute_name, task.add_config_attrs)
    }


def _plain(value: Any) -> Any:
    """Return the value in a form that every tracker accepts."""
    if isinstance(value, str | bool | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def requirements(task: Task) -> tuple[str, ...]:
    """Return the installed versions of the packages that a run needs, as pip requirements."""
    provider, _ = distribution_of(type(task).__module__)
    needed = ["clx-core", *([] if provider is None else [provider]), "torch", "transformers"]
    found = []
    for name in dict.fromkeys(needed):
        try:
            # A local version, such as 2.6.0+cpu, is not on the package index.
            found.append(f"{name}=={metadata.version(name).partition('+')[0]}")
        except metadata.PackageNotFoundError:
            found.append(name)
    return tuple(found)
