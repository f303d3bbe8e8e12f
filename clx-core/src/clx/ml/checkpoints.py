"""Checkpoints of a training in progress: marked when complete, resumed only when they belong.

The Trainer writes ``checkpoint-N`` folders in place and its own search for the newest never looks
inside them, so a killed training leaves truncated ones that it would pick. Here a checkpoint counts
when its mark, written after everything else, fits the files that are there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from clx.errors import ResumeError
from clx.ml.run_dir import LOGS, METRICS_LOG, write_json
from clx.problems import cell, raise_problems

MARK = "clx-complete.json"
IDENTITY = "training.json"
SAVE_EVERY_S = 300.0
"""A training that saves by no other rule is checkpointed this often."""


class MarkComplete(TrainerCallback):  # type: ignore[misc]
    """Marks each checkpoint after the Trainer has written all of it."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the sizes of the checkpoint's files into its mark, with all of them on disk."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero or not folder.is_dir():
            return
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        write_json(folder / MARK, _sizes(folder))


class SaveNowAndThen(TrainerCallback):  # type: ignore[misc]
    """Asks for a checkpoint when the last one is some minutes old."""

    def __init__(self, every_s: float = SAVE_EVERY_S) -> None:
        self.every_s = every_s
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set ``control.should_save`` when it is time and the training is not about to end."""
        due = time.monotonic() - self._last >= self.every_s
        if due and state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count the time from any checkpoint."""
        self._last = time.monotonic()


def _sizes(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.name != MARK}


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return the complete checkpoints in ``folder``, oldest first."""
    found = []
    for path in folder.glob("checkpoint-*"):
        try:
            expected = json.loads((path / MARK).read_text(encoding="utf-8"))
            step = int(path.name.removeprefix("checkpoint-"))
            if expected and _sizes(path) == expected:
                found.append((step, path))
        except (OSError, ValueError):
            continue
    return [path for _, path in sorted(found)]


def begin(folder: Path, identity: Mapping[str, Any]) -> None:
    """Start afresh: sweep what an earlier training left and note what this one is made of."""
    if folder.exists():
        shutil.rmtree(folder)
    (folder / LOGS).mkdir(parents=True)
    write_json(folder / IDENTITY, dict(identity))


def resume_point(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """Return the newest complete checkpoint of the same training, None when there is none yet.

    Raises:
        ResumeError: no training was begun there, or its data, labels or arguments were others.
    """
    path = folder / IDENTITY
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResumeError(
            f"There is no unfinished training in {folder.parent} to resume. Leave resume out to "
            f"start one (overwrite=True to replace a finished one)."
        ) from error
    now = json.loads(json.dumps(identity))
    changed = [
        f"{key}: {cell(before)} when it began, {cell(after)} now"
        for key, before, after in _differences(begun, now)
    ]
    raise_problems(
        ResumeError,
        f"The unfinished training in {folder.parent} was begun otherwise and cannot be resumed:",
        changed,
        "Make them the same again, or leave resume out to start afresh.",
    )
    complete = complete_checkpoints(folder)
    for stray in set(folder.glob("checkpoint-*")) - set(complete):
        shutil.rmtree(stray)
    if complete:
        trim_log(folder / LOGS / METRICS_LOG, int(complete[-1].name.removeprefix("checkpoint-")))
    return complete[-1] if complete else None


def _differences(before: Any, after: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the dotted name and both values of each leaf in which two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), f"{where}.{key}".strip("."))
    elif before != after:
        yield where, before, after


def trim_log(path: Path, last_step: int) -> None:
    """Drop the log lines of steps after ``last_step``, which will be made again."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    kept = []
    for line in lines:
        try:
            if json.loads(line).get("step", 0) <= last_step:
                kept.append(line + "\n")
        except ValueError:
            continue
    path.write_text("".join(kept), encoding="utf-8")
