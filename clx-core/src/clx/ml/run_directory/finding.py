"""Find a run by path or name, or all runs in a folder, and refuse to replace existing ones."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from clx.errors import (
    ConfigError,
    ResumeError,
    RunDirError,
    RunExistsError,
    RunNotFoundError,
)
from clx.ml.run_directory.downloaded import refuse_downloaded
from clx.ml.run_directory.hub_address import hub_address, is_address
from clx.ml.run_directory.layout import CONFIG, MANIFEST, OUR_NAMES, RunDir
from clx.ml.run_directory.marks import IDENTITY
from clx.problems import cell, did_you_mean, examples
from clx.settings import runs_dir
from clx_runtime.files import read_json_or_empty

_ATTEMPTS = 20
_PAUSE_SECONDS = 0.02


def find_run(path: Path) -> RunDir:
    """Return the run at ``path``, or the one that an interrupted replacement left beside it.

    Raises:
        RunNotFoundError: there is no run.
        RunDirError: there is a folder, but it does not hold a complete run.
    """
    run = RunDir(path)
    if not path.exists():
        left = left_of(run)
        # A writer may be between its two renames: the run will be in place in a moment.
        for _ in range(_ATTEMPTS if left else 0):
            if path.exists():
                return find_run(path)
            time.sleep(_PAUSE_SECONDS)
        if left is not None:
            return RunDir(left)
        raise RunNotFoundError(f"There is no run directory {path}")
    if not run.is_complete():
        unfinished = " (a training there did not finish)" if run.checkpoints.is_dir() else ""
        what = "file" if path.is_file() else "folder"
        raise RunDirError(f"The {what} {path} holds no trained run{unfinished}")
    return run


def left_of(run: RunDir) -> Path | None:
    """Return the complete run that an interrupted replacement left beside ``run``, if there is one."""
    # The manifest is written last: a staging folder that has one is complete.
    if (run.staging / MANIFEST).is_file():
        return run.staging
    return run.previous if RunDir(run.previous).is_complete() else None


def locate(load: str | os.PathLike[str]) -> Path:
    """Return the path of a run, given as a path, as a name in the default folder, or as ``hf://…``.

    The path of the ``config.json`` of a run stands for the run. A run on the Hub is downloaded if it
    is not on this machine yet.

    Raises:
        ConfigError: ``load`` is neither a path nor a name nor an address.
        RunNotFoundError: there is no such run; the message names the run with the closest name.
        HubError: the Hub cannot be reached, or refuses.
    """
    if not isinstance(load, str | os.PathLike):
        raise ConfigError(f"load must be a path or the name of a run, but is {cell(load)}")
    if is_address(load):
        from clx.ml.run_directory.hub_download import downloaded_run

        return downloaded_run(hub_address(load))
    # Shells complete the name of a folder with a slash.
    name = str(load).rstrip("/" + os.sep)
    is_name = isinstance(load, str) and os.sep not in name and name not in ("", ".", "..")
    try:
        path = Path(load).expanduser().absolute()
        if path.exists():
            return path.parent if path.name == CONFIG and path.is_file() else path
        named = runs_dir() / name
        if is_name and (named.exists() or _is_being_replaced(named)):
            return named
        if _is_being_replaced(path):
            return path
    except (OSError, ValueError, RuntimeError) as error:
        raise RunNotFoundError(f"There is no run to load at {cell(load)}: {error}") from error
    others = [run.name for run in saved_runs()]
    where = f"{path} does not exist" + (f", and there is no run {name!r} in {runs_dir()}" * is_name)
    raise RunNotFoundError(
        f"There is no run to load: {where}{did_you_mean(Path(load).name, others)}"
    )


def _is_being_replaced(path: Path) -> bool:
    run = RunDir(path)
    return any(left.exists() for left in (run.staging, run.previous))


def saved_runs(parent: Path | None = None) -> list[Path]:
    """Return the sorted directories of the trained runs in a folder, by default ``runs_dir()``."""
    folder = runs_dir() if parent is None else parent
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            if path.is_dir() and not path.name.startswith(".") and RunDir(path).is_complete():
                found.append(path)
        except RunDirError:
            continue
    return found


def find_any_run(load: str | os.PathLike[str]) -> RunDir:
    """Return the run that a name or a path stands for, whether it is complete, unfinished or damaged.

    Raises:
        ConfigError: it is an address on the Hub.
        RunNotFoundError: there is nothing at the path.
        RunDirError: the folder is not a run.
    """
    if is_address(load):
        raise ConfigError(f"{cell(load)} is an address on the Hub: name a run on this machine")
    run = RunDir(locate(load))
    if holds_run(run):
        return run
    if run.path.is_dir():
        inside = [path.name for path in saved_runs(run.path)]
        hint = f"; it contains the runs {examples(inside)}" if inside else ""
        raise RunDirError(f"{run.path} is a folder, but not a clx run{hint}")
    raise RunDirError(f"{run.path} is a file, not a clx run")


def holds_run(run: RunDir) -> bool:
    """Return whether there is a run, even if it is damaged, unfinished or being replaced.

    The config of a transformers model has the same name as that of a run, so the name is not enough.
    """
    if not run.path.exists():
        return left_of(run) is not None
    if (run.checkpoints / IDENTITY).is_file():
        return True
    files = read_json_or_empty(run.path / MANIFEST).get("files")
    if isinstance(files, dict) and CONFIG in files:
        return True
    with contextlib.suppress(OSError):
        run.read_config()
        return True
    return False


def refuse_existing(target: RunDir, overwrite: bool, resume: bool) -> None:
    """Refuse to train over something that must not be replaced; called before anything is loaded.

    Raises:
        RunExistsError: there is a trained run, or a training that did not finish, and neither
            ``overwrite`` nor ``resume``; or the folder is not a run.
        ResumeError: the training to resume has finished.
        RunDirError: the run is a download from the Hub.
    """
    refuse_downloaded(target)
    if not target.path.exists():
        return
    found = {path.name for path in target.path.iterdir()} if target.path.is_dir() else {""}
    if found and not found & OUR_NAMES:
        raise RunExistsError(
            f"{target.path} exists and is not a clx run, so clx does not replace it. Choose another "
            f"run_name or run_dir_parent."
        )
    if not target.is_complete():
        if not overwrite and not resume and any(target.checkpoints.glob("checkpoint-*")):
            raise RunExistsError(
                f"A training in {target.path} did not finish. Pass resume=True to continue it from "
                f"its newest complete checkpoint, or overwrite=True to start again."
            )
        return
    if resume and not overwrite and not target.checkpoints.is_dir():
        raise ResumeError(
            f"The training in {target.path} has finished: there is nothing to resume. Pass "
            f"overwrite=True to train again."
        )
    if not overwrite and not resume:
        raise RunExistsError(
            f"There is a trained run in {target.path}. Pass overwrite=True to replace it (it stays "
            f"until the new one is complete), or choose another run_name."
        )
