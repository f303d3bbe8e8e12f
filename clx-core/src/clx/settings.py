"""The folders that clx writes to if the caller names none.

``LOCAL_DATA_DIR`` is the environment variable of that name, else the platform's user data folder.
It is computed at each access, so a test or a notebook can set the variable at any time::

    from clx.settings import LOCAL_DATA_DIR
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    LOCAL_DATA_DIR: Path


def local_data_dir() -> Path:
    """Return the absolute path of the folder for everything that clx keeps. It may not exist yet."""
    chosen = os.environ.get("LOCAL_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("clx", appauthor=False))


def runs_dir() -> Path:
    """Return the default parent of run directories, ``LOCAL_DATA_DIR / "runs"``."""
    return local_data_dir() / "runs"


def cache_dir() -> Path:
    """Return the folder for what clx can compute again; deleting it loses nothing but time.

    It is ``cache`` in ``LOCAL_DATA_DIR`` if that variable is set, else the platform's cache folder.
    """
    if os.environ.get("LOCAL_DATA_DIR"):
        return local_data_dir() / "cache"
    import platformdirs

    return Path(platformdirs.user_cache_dir("clx", appauthor=False))


def __getattr__(name: str) -> Path:
    if name == "LOCAL_DATA_DIR":
        return local_data_dir()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
