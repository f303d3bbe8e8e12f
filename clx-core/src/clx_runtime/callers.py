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

    From a module of clx, this is the innermost caller outside clx. From any other module, such as that
    of a task, it is the caller outside clx of the method of clx that led there.
    """
    frame, level = sys._getframe(1), 1
    package, classes = _package(frame), set()
    while frame.f_back is not None and not _is_clx(frame):
        if level > 1 and (not package or _package(frame) != package):
            break
        classes.add(_class(frame))
        frame, level = frame.f_back, level + 1
    # A task may override methods that users call.
    while frame.f_back is not None and (_is_clx(frame) or _class(frame) in classes - {None}):
        frame, level = frame.f_back, level + 1
    return level


def _is_clx(frame: FrameType) -> bool:
    """Return whether a frame is clx's, or pluggy's, which calls the hooks of plugins for clx."""
    return frame.f_code.co_filename.startswith(_PACKAGES) or _package(frame) == "pluggy"


def _package(frame: FrameType) -> str:
    """Return the outermost package of a module, empty for a script, a notebook, or a lone module."""
    return (frame.f_globals.get("__package__") or "").partition(".")[0]


def _class(frame: FrameType) -> tuple[str, str] | None:
    """Return file and name of the class whose method a frame runs, None for another function."""
    name = frame.f_code.co_qualname.rpartition(".")[0]
    return (frame.f_code.co_filename, name) if name else None
