"""Where a warning points: at the user's line, however many functions of clx are in between."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_HERE = Path(__file__).parents[1]
_PACKAGES = tuple(f"{_HERE / name}{os.sep}" for name in ("clx", "clx_runtime"))


def user_level() -> int:
    """Return the ``stacklevel`` for ``warnings.warn`` of the innermost caller outside clx."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame, level = frame.f_back, level + 1
    return level
