"""The files of a training in progress that identify it and mark its complete checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MARK = "clx-complete.json"
IDENTITY = "training.json"
STATE = "trainer_state.json"


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file of a checkpoint, without its mark."""
    return {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.name != MARK}


def mark_of(folder: Path) -> dict[str, Any] | None:
    """Return a checkpoint's mark, None if it is missing or does not match the files."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        whole = mark["files"] and file_sizes(folder) == mark["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return mark if whole else None


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints in ``folder``, oldest first."""
    found = []
    for path in folder.glob("checkpoint-*"):
        step = path.name.removeprefix("checkpoint-")
        if step.isdecimal() and not path.is_symlink() and mark_of(path) is not None:
            found.append((int(step), path))
    return [path for _, path in sorted(found)]


def step_of(checkpoint: str | Path) -> int:
    """Return the step after which a checkpoint was saved."""
    return int(Path(checkpoint).name.removeprefix("checkpoint-"))
