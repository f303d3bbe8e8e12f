"""Checkpoints of a training in progress: mark the complete ones, and resume only the same training.

The Trainer writes ``checkpoint-N`` folders in place, and its search for the newest one does not look
inside. It would resume from a truncated checkpoint of a killed training. Here a checkpoint counts only
if its mark, which is written last, matches its files.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerState

from clx.errors import ResumeError
from clx.ml.machine.distributed import broadcast, process_count, wait
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import LOGS, METRICS_LOG
from clx.ml.run_directory.marks import (
    IDENTITY,
    MARK,
    STATE,
    complete_checkpoints,
    file_sizes,
    mark_of,
    step_of,
)
from clx.ml.run_directory.staging import remove
from clx.ml.trainer.checkpoint_weights import restore_weights
from clx.ml.training.identity import identifying
from clx.ml.training.interrupts import StopOnInterrupt
from clx.ml.training.processes import BATCH, PROCESSES, comparable, differences
from clx.problems import cell, raise_problems

SAVE_EVERY_S = 300.0
"""The age of the last checkpoint, in seconds, at which a training saves another one."""

AGREE_EVERY = 10
"""The number of steps after which several processes agree whether a checkpoint is due."""


class MarkComplete(TrainerCallback):  # type: ignore[misc]
    """Mark each checkpoint after the Trainer has written it, then remove older ones.

    Args:
        kept: the number of checkpoints to keep in addition to the best one, None for all.
        interrupt: the callback that may have stopped the training before its end.
    """

    def __init__(self, kept: int | None = None, interrupt: StopOnInterrupt | None = None) -> None:
        self.kept = kept
        self.interrupt = interrupt

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Flush the checkpoint's files to disk, then write their sizes into its mark."""
        # Each process writes its random state.
        wait()
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero or not folder.is_dir():
            return
        for path in folder.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        interrupted = self.interrupt is not None and self.interrupt.asked
        finished = state.global_step >= state.max_steps or (
            control.should_training_stop and not interrupted
        )
        write_json(folder / MARK, {"files": file_sizes(folder), "finished": finished})
        self._remove_old(folder.parent, state.best_model_checkpoint)

    def _remove_old(self, folder: Path, best: str | None) -> None:
        complete = complete_checkpoints(folder)
        for path in complete[: -self.kept] if self.kept else ():
            if best is None or path.name != Path(best).name:
                shutil.rmtree(path, ignore_errors=True)


class RelocateBestCheckpoint(TrainerCallback):  # type: ignore[misc]
    """Find the best checkpoint if the directory of a resumed training was moved or copied."""

    def __init__(self, resume_from: Path | None) -> None:
        self.resume_from = resume_from

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Point the Trainer to the checkpoint of the same name beside the resumed one."""
        if self.resume_from is not None:
            best = _best_beside(self.resume_from)
            state.best_model_checkpoint = None if best is None else str(best)


def _best_beside(folder: Path) -> Path | None:
    """Return the best checkpoint that a checkpoint names, None unless it is complete beside it."""
    named = json.loads((folder / STATE).read_text(encoding="utf-8")).get("best_model_checkpoint")
    best = folder.parent / Path(named).name if isinstance(named, str) else None
    return best if best is not None and mark_of(best) is not None else None


def is_finished(folder: Path) -> bool:
    """Return whether a checkpoint is complete and was saved at the last step of its training."""
    mark = mark_of(folder)
    return mark is not None and mark.get("finished") is True


def restore(trainer: Any, folder: Path) -> None:
    """Load the model and state of a finished training into a Trainer.

    The Trainer itself would take one more step if the last step was within an epoch.
    """
    state = TrainerState.load_from_json(str(folder / STATE))
    best = _best_beside(folder) if trainer.args.load_best_model_at_end else None
    restore_weights(trainer, best or folder)
    trainer.state = state
    # A callback may change the model when a training ends, for example to average its weights.
    handler = trainer.callback_handler
    trainer.control = handler.on_train_begin(trainer.args, state, trainer.control)
    trainer.control = handler.on_train_end(trainer.args, state, trainer.control)


class SavePeriodically(TrainerCallback):  # type: ignore[misc]
    """Request a checkpoint if the last one is older than ``every_s`` seconds."""

    def __init__(self, every_s: float = SAVE_EVERY_S) -> None:
        self.every_s = every_s
        self._last = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Set ``control.should_save`` if a checkpoint is due and this was not the last step."""
        if process_count() > 1 and state.global_step % AGREE_EVERY:
            return
        due = broadcast(time.monotonic() - self._last >= self.every_s)
        if due and state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Restart the clock, whatever caused the checkpoint."""
        self._last = time.monotonic()


def sweep_incomplete(folder: Path) -> list[Path]:
    """Remove the checkpoints that cannot be resumed, and return the others, oldest first."""
    complete = complete_checkpoints(folder)
    for stray in set(folder.glob("checkpoint-*")) - set(complete):
        remove(stray)
    return complete


def enter(folder: Path, identity: Mapping[str, Any], resume: bool) -> Path | None:
    """Begin a training and return None, or return the checkpoint of an unfinished one to resume."""
    if resume:
        return resume_point(folder, identity)
    begin(folder, identity)
    return None


def begin(folder: Path, identity: Mapping[str, Any]) -> None:
    """Remove what an earlier training left, and record the identity of this one."""
    remove(folder)
    (folder / LOGS).mkdir(parents=True)
    write_json(folder / IDENTITY, dict(identity))


def resume_point(folder: Path, identity: Mapping[str, Any]) -> Path | None:
    """Return the newest complete checkpoint of the same training, None if it has none yet.

    Raises:
        ResumeError: there is no unfinished training, its data, labels or arguments differ, or its
            checkpoints hold the model only.
    """
    path = folder / IDENTITY
    if folder.is_symlink():
        raise ResumeError(
            f"{folder} is a symbolic link, and clx does not read checkpoints through a link"
        )
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ResumeError(
            f"There is no unfinished training in {folder.parent} to resume. Leave out resume to "
            f"start one (with overwrite=True to replace a finished one)."
        ) from error
    now = json.loads(json.dumps(identity))
    # Another version of clx may have written what this one leaves out.
    begun |= {"config": identifying(begun.get("config", {}))}
    changed = [
        f"{key}: {cell(before)} at the start, {cell(after)} now"
        for key, before, after in differences(comparable(begun), comparable(now))
    ]
    raise_problems(
        ResumeError,
        f"The unfinished training in {folder.parent} cannot be resumed, because it was started with "
        f"other data or options:",
        changed,
        f"Restore the earlier values, or pass overwrite=True instead to start over.{_processes(begun)}",
    )
    complete = sweep_incomplete(folder)
    arguments = begun.get("config", {}).get("training_args", {})
    if complete and arguments.get("save_only_model") and not is_finished(complete[-1]):
        raise ResumeError(
            f"The unfinished training in {folder.parent} cannot be resumed: with save_only_model=True, "
            f"its checkpoints hold the model without the optimizer and the schedule. Pass "
            f"overwrite=True to start over."
        )
    if complete:
        trim_log(folder / LOGS / METRICS_LOG, step_of(complete[-1]))
    return complete[-1] if complete else None


def _processes(begun: Mapping[str, Any]) -> str:
    """Return a remark about the number of processes, if it changed."""
    before, now = int(begun.get(PROCESSES, 1)), process_count()
    batch = begun.get("config", {}).get("training_args", {}).get(BATCH)
    if before == now or not isinstance(batch, int):
        return ""
    fits, rest = divmod(batch * before, now)
    fitting = f": set {BATCH} to {fits}" if not rest else f", which {now} processes cannot share"
    return (
        f" The training was started with {before} processes and now has {now}; together they must take "
        f"{batch * before} rows at a time{fitting}."
    )


def trim_log(path: Path, last_step: int) -> None:
    """Remove the log lines of steps after ``last_step``, which the training repeats."""
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
    new = path.with_suffix(".new")
    new.write_text("".join(kept), encoding="utf-8")
    new.replace(path)
