"""One writer per run: a lock that names its holder and is released when a process is killed."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from clx.errors import RunBusyError, RunDirError
from clx.ml.machine.distributed import require_main_process
from clx.ml.machine.running import is_running
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import RunDir
from clx_runtime.files import read_json_or_empty

_ATTEMPTS = 25
_PAUSE_SECONDS = 0.02


@contextlib.contextmanager
def only_writer(target: RunDir, exists: bool = False) -> Iterator[None]:
    """Hold the run's lock; a second writer is refused at once and told who holds it.

    The system holds the lock (``flock``), so it is released when the process is killed. The file
    beside it with the holder's name is information only. The lock excludes processes of one machine.

    Args:
        target: the run.
        exists: whether the caller changes a run that is there, so that no other place would do.

    Raises:
        ConfigError: torchrun started this process, and it is not the first one.
        RunBusyError: another process, or another thread of this process, holds the lock.
        RunDirError: the folder of the run cannot be written.
    """
    require_main_process(f"change {target.path}")
    holder = target.lock.with_name(target.lock.name + ".json")
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.lock)
        lock.acquire(timeout=0)
    except Timeout as error:
        remedy = "Wait until it ends." if exists else "Wait, or choose another run_name."
        raise RunBusyError(
            f"{target.path} is being trained by {_named(holder)}. {remedy}"
        ) from error
    except OSError as error:
        remedy = (
            "the run in it can only be read; copy the run to a folder that you can write to"
            if exists
            else "set run_dir_parent to a folder that you can write to"
        )
        raise RunDirError(
            f"{target.path.parent} cannot be written ({error.strerror or error}): {remedy}"
        ) from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        # Information only: on a full disk, the next write reports it.
        with contextlib.suppress(OSError):
            write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def is_being_written(target: RunDir) -> bool:
    """Return whether another process, or another thread of this process, holds the run's lock."""
    if not target.lock.with_name(target.lock.name + ".json").is_file():
        return False
    lock = FileLock(target.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        # Without write access, this cannot be known.
        return False
    lock.release()
    return False


@contextlib.contextmanager
def only_writer_of_file(target: Path) -> Iterator[None]:
    """Hold a lock beside a file to be written; the lock file is removed at the end.

    Raises:
        RunBusyError: another process, or another thread of this process, writes the file.
        RunDirError: the folder of the file cannot be written.
    """
    path = target.with_name(f".{target.name}.lock")
    lock = FileLock(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunBusyError(f"{target} is being written by another process: wait for it") from error
    except OSError as error:
        raise RunDirError(
            f"{target.parent} cannot be written ({error.strerror or error}): choose another target"
        ) from error
    try:
        yield
    finally:
        # Removed while held: a process that acquires a removed file's lock notices and retries.
        path.unlink(missing_ok=True)
        lock.release()


def _named(path: Path) -> str:
    """Return who holds the lock. A holder writes its name a moment after it acquires the lock."""
    for _ in range(_ATTEMPTS):
        who = read_json_or_empty(path)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            if who["host"] != socket.gethostname() or is_running(int(who["pid"])):
                return f"process {who['pid']} on {who['host']}, since {who['since']}"
        time.sleep(_PAUSE_SECONDS)
    return "another process"
