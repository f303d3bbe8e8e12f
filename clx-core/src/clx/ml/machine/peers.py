"""The connection of the processes of a training, through the store that torch uses too."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from clx.errors import TrainingError
from clx.ml.machine.distributed import process_count, process_rank

PAUSE_S = 0.2
"""The seconds between two checks of the other processes."""
START_S = 300.0
"""The seconds to wait for all processes to start."""


@dataclass(frozen=True)
class Process:
    """One process of the training.

    Attributes:
        rank: its number, from 0.
        pid: its process id.
        host: the name of its machine.
        machine: what only processes with the same table of process ids share.
    """

    rank: int
    pid: int
    host: str
    machine: str

    def __str__(self) -> str:
        return f"rank {self.rank} (process {self.pid} on {self.host})"


class Peers:
    """This process's connection to the others of the training, through torch's store."""

    def __init__(self, timeout_s: float) -> None:
        from torch.distributed.rendezvous import rendezvous

        rank, count = process_rank(), process_count()
        url = f"env://?rank={rank}&world_size={count}"
        self.store: Any = next(iter(rendezvous(url, timeout=timedelta(seconds=timeout_s))))[0]
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self.prefix = f"clx/{attempt}/"
        self.count, self.me = count, Process(rank, os.getpid(), socket.gethostname(), _machine())
        # torchrun's agent has the store, otherwise rank 0 has it.
        self.has_launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        self.is_reachable = True
        self.lost: set[int] = set()
        self.calls = self.endings = 0

    def others(self) -> list[int]:
        """Return the ranks of the other processes."""
        return [rank for rank in range(self.count) if rank != self.me.rank]

    def reporter(self) -> int:
        """Return the rank that reports what concerns all: the lowest that is not lost."""
        return min(set(range(self.count)) - self.lost)

    def post(self, key: str, value: Any) -> None:
        """Write a value for the other processes; do nothing if the store is gone."""
        with contextlib.suppress(RuntimeError):
            self.put(key, value)

    def put(self, key: str, value: Any) -> None:
        """Write a value for the others, or raise a RuntimeError if the store is gone."""
        self.require_store()
        self.store.set(self.prefix + key, json.dumps(value))

    def require_store(self) -> None:
        """Raise a RuntimeError if the store is gone; torch would log each attempt to use it."""
        if not self.is_reachable:
            raise RuntimeError("the store of the processes is gone")

    def posted(self, key: str) -> Any:
        """Return what another process wrote, None if it did not yet."""
        self.require_store()
        name = self.prefix + key
        return json.loads(self.store.get(name)) if self.store.check([name]) else None

    def awaited(self, key: str, seconds: float) -> Any:
        """Wait for a value of another process; return None if it does not come."""
        until = time.monotonic() + seconds
        with contextlib.suppress(RuntimeError):
            while (value := self.posted(key)) is None and time.monotonic() < until:
                time.sleep(PAUSE_S / 4)
            return value
        return None


class _Connection:
    """The connection of this process, made when it is first needed."""

    peers: Peers | None = None


_CONNECTED = _Connection()


def connected(timeout_s: float = START_S) -> Peers:
    """Return the connection to the other processes.

    Raises:
        TrainingError: not all processes have started.
    """
    if _CONNECTED.peers is None:
        try:
            _CONNECTED.peers = Peers(timeout_s)
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"The {process_count()} processes of this training did not find each other "
                f"({str(error).splitlines()[0]}). Start all of them, with torchrun or with the same "
                f"MASTER_ADDR and MASTER_PORT."
            ) from error
    return _CONNECTED.peers


def _machine() -> str:
    """Return what only processes with the same table of process ids share."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
