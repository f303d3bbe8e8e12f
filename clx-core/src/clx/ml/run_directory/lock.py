"""One writer a run: a lock that names its holder and goes with a killed process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from clx.errors import RunBusyError, RunDirError
from clx.ml.run_directory.layout import RunDir, write_json

_LOOKS = 25
_BETWEEN_LOOKS_S = 0.02


@contextlib.contextmanager
def only_writer(target: RunDir) -> Iterator[None]:
    """Hold the run's lock; a second writer is refused at once and told who holds it.

    The lock is the system's (flock), so that it goes with a killed process; the file beside it
    with the holder's name is information only. It excludes processes of one machine.

    Raises:
        RunBusyError: another process, or another thread of this one, holds it.
        RunDirError: the folder of the run cannot be written.
    """
    holder = target.lock.with_name(target.lock.name + ".json")
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.lock)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunBusyError(
            f"{target.path} is being trained by {_named(holder)}. Wait, or take another run_name."
        ) from error
    except OSError as error:
        raise RunDirError(
            f"{target.path.parent} cannot be written ({error.strerror or error}): give a folder of "
            f"your own as run_dir_parent"
        ) from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        # Information only: on a full disk it is what is written next that has to say so.
        with contextlib.suppress(OSError):
            write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def only_writer_of_file(target: Path) -> Iterator[None]:
    """Hold a lock beside a file that is to be written; it is gone when the file is there.

    Raises:
        RunBusyError: another process, or another thread of this one, writes it.
        RunDirError: its folder cannot be written.
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
            f"{target.parent} cannot be written ({error.strerror or error}): give another target"
        ) from error
    try:
        yield
    finally:
        # While it is held: who gets the lock of a removed file notices, and tries again.
        path.unlink(missing_ok=True)
        lock.release()


def _named(path: Path) -> str:
    """Return who holds the lock. A holder writes its name a moment after it got the lock."""
    who: dict[str, Any] = {}
    for _ in range(_LOOKS):
        try:
            who = json.loads(path.read_text(encoding="utf-8"))
            if who["host"] != socket.gethostname() or _runs(int(who["pid"])):
                return f"process {who['pid']} on {who['host']}, since {who['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            pass
        time.sleep(_BETWEEN_LOOKS_S)
    return "another process"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
