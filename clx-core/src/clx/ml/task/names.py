"""Names of tasks and of their options."""

from __future__ import annotations

import re

TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def attribute_name(option: str) -> str:
    """Return the attribute that an ``add_config_attrs`` entry stands for: ``my-attr`` → ``my_attr``."""
    return option.replace("-", "_")


def own_aliases(task_class: type) -> tuple[str, ...]:
    """Return the aliases of a task class; those that it inherits belong to the name that it replaced."""
    for klass in task_class.__mro__:
        if "aliases" in vars(klass):
            return tuple(vars(klass)["aliases"])
        if "name" in vars(klass):
            break
    return ()
