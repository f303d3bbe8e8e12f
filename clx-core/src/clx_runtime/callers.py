"""Where a warning points: at the user's line, however many functions of clx are in between."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

_HERE = Path(__file__).parents[1]
_PACKAGES = tuple(f"{_HERE / name}{os.sep}" for name in ("clx", "clx_runtime"))


def user_level() -> int:
    """Return the ``stacklevel`` for ``warnings.warn``, so that a warning points at the user's line.

    It is that of the innermost caller outside clx and outside the package of the calling module, such
    as that of a task or a plugin.
    """
    frame, level = sys._getframe(1), 1
    # pluggy calls the hooks of plugins for clx.
    others = {_package(frame), "pluggy"} - {""}
    while frame.f_back is not None:
        frame, level = frame.f_back, level + 1
        in_clx = frame.f_code.co_filename.startswith(_PACKAGES)
        if not in_clx and _package(frame) not in others:
            break
    return level


def _package(frame: FrameType) -> str:
    """Return the outermost package of a module, empty for a script, a notebook, or a lone module."""
    return (frame.f_globals.get("__package__") or "").partition(".")[0]
