"""Soft labels in one cell: a probability for each label, as a dict or as a JSON object."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Container, Mapping
from typing import Any

POSITIVE = 0.5
"""With several labels per row, a label applies from this probability on."""


def label_shares(value: Any, known: Container[str] = ()) -> dict[Any, Any] | None:
    """Return the numbers by label in a cell, None if the cell is something other than a soft label.

    A cell is a dict, a list of pairs, as some programs read a map of a parquet file, or the JSON text
    of an object. A label with a null value, as in a struct of a parquet file, is left out. The
    numbers are not checked.

    Args:
        value: the cell.
        known: label names that are never parsed.
    """
    if isinstance(value, str):
        value = None if value in known else _object(value)
    elif isinstance(value, list | tuple) and value and all(_is_pair(item) for item in value):
        value = dict(value)
    if not isinstance(value, Mapping):
        return None
    given = {name: share for name, share in value.items() if share is not None}
    # Annotation tools write objects with other values, such as {"choices": [...]}.
    return given if all(_is_number(share) for share in given.values()) else None


def _object(text: str) -> Any:
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
    return None


def _is_pair(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and len(item) == 2
        and isinstance(item[0], str)
        and (item[1] is None or _is_number(item[1]))
    )


def _is_number(value: Any) -> bool:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    return isinstance(value, int | float)


def likeliest(shares: Mapping[Any, Any]) -> Any:
    """Return the label with the highest share, the first of several; None if there are no labels."""
    best, highest = None, -math.inf
    for label, share in shares.items():
        if share > highest:
            best, highest = label, share
    return best


def applying(shares: Mapping[Any, Any]) -> list[Any]:
    """Return the labels whose share is at least ``POSITIVE``."""
    return [label for label, share in shares.items() if share >= POSITIVE]
