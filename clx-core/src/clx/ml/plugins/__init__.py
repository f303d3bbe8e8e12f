"""The hook plugins of the process: which are installed, and the calls to them.

The public face of the room.
"""

from clx.ml.plugins.manager import (
    Loaded,
    Plugins,
    plugins,
    register_plugin,
    unregister_plugin,
)

__all__ = ["Loaded", "Plugins", "plugins", "register_plugin", "unregister_plugin"]
