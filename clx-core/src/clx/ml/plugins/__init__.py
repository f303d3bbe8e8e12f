"""The installed hook plugins and the task registry.

:func:`plugins` returns the hook plugins of this process, and :func:`register_plugin` adds one.
:mod:`clx.ml.plugins.calls` has a function for each hook that takes part in a run, and
:mod:`clx.ml.plugins.registry` the task registry. The names that are exported here are public.
"""

from clx.ml.plugins.manager import (
    Loaded,
    Plugins,
    plugins,
    register_plugin,
    unregister_plugin,
)

__all__ = ["Loaded", "Plugins", "plugins", "register_plugin", "unregister_plugin"]
