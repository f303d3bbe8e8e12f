"""Values that survive being written to JSON and read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clx.problems import cell


def json_problems(values: Mapping[str, Any]) -> list[str]:
    """Return a problem for each option that does not survive being written to JSON and read."""
    problems = []
    for name, value in values.items():
        try:
            same = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            problems.append(f"{name} = {cell(value)} cannot be kept in config.json: {error}")
            continue
        if same != tuples_as_lists(value):
            problems.append(
                f"{name} = {cell(value)} would come back from config.json as {cell(same)}"
            )
    return problems


def tuples_as_lists(value: Any) -> Any:
    """Return a value with its tuples as lists, as it comes back from JSON."""
    if isinstance(value, list | tuple):
        return [tuples_as_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: tuples_as_lists(item) for key, item in value.items()}
    return value
