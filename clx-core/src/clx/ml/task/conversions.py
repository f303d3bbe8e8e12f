"""Convert values of options to values that JSON can hold."""

from __future__ import annotations

import os
from typing import Any


def plain_path(value: Any) -> Any:
    """Return a path as a str; other values are returned unchanged."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def names_as_str(value: Any) -> Any:
    """Return a dict with keys that are str; other values are returned unchanged."""
    # JSON keys are strings, so labels are compared as str.
    is_by_label = isinstance(value, dict)
    return {str(name): item for name, item in value.items()} if is_by_label else value
