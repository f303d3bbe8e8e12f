"""The log of a training without texts of the data."""

from __future__ import annotations

import json
from pathlib import Path

from clx.ml.results.json_tables import is_finite_number


def log_without_texts(log: str) -> str:
    """Return the lines of ``metrics.jsonl`` with only their numbers."""
    lines = []
    for line in log.splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict):
            numbers = {key: value for key, value in values.items() if is_finite_number(value)}
            lines.append(json.dumps(numbers) + "\n")
    return "".join(lines)


def read_log(path: Path) -> str:
    """Return the content of a log, empty if the file is missing."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
