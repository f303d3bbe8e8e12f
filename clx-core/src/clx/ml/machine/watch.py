"""The processes of a training watch each other, so that none waits for one that has ended.

A process that was killed cannot say so. The others would wait for it at the next barrier, for half
an hour with NCCL. Launchers end them, but not every training has one that does. A thread
of each process therefore looks for the others: at those of the same machine directly, at the rest by
their heartbeats in the store.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from clx.errors import ClxError, TrainingError
from clx.ml.machine.distributed import process_count
from clx.ml.machine.peers import PAUSE_S, Peers, Process, connected
from clx.ml.machine.running import is_running

BEAT_S = 5.0
SILENT_S = 60.0
"""The seconds without a heartbeat after which a process of another machine counts as lost.

The heartbeat stops while a long call of a library holds Python's lock.
"""
GRACE_S = 6.0
"""The seconds that a process has to stop by itself after another one has ended."""

_CONNECTION = ("gloo", "nccl", "connection closed", "connection reset", "broken pipe", "socket")


@dataclass(frozen=True)
class Ended:
    """A process that ended before the others.

    Attributes:
        rank: its number, None if all are unreachable.
        message: what happened.
        status: the exit status of the processes that stop because of it.
        lost: whether it ended without a word.
    """

    rank: int | None
    message: str
    status: int = 1
    lost: bool = True


@dataclass
class _Beats:
    """The heartbeats of a process of another machine.

    Attributes:
        since: when the last one was new, by this machine's clock.
        last: the last one.
        next_look: when to look again.
    """

    since: float
    last: Any = None
    next_look: float = 0.0


class _Watch:
    """The thread that looks for the other processes during one call.

    Args:
        peers: the connection.
        advice: what to do after a process was lost.
    """

    def __init__(self, peers: Peers, advice: str) -> None:
        self.peers, self.advice = peers, advice
        self.call = f"call{peers.calls}"
        self.known: dict[int, Process] = {}
        self.beats: dict[int, _Beats] = {}
        self.found: Ended | None = None
        self.noticed, self.left = threading.Event(), threading.Event()
        self.next_beat, self.beat = 0.0, 0
        self.thread = threading.Thread(target=self._run, name="clx-peers", daemon=True)

    def start(self) -> None:
        """Say that this process is here, and begin to watch."""
        self.peers.post(f"{self.call}/here/{self.peers.me.rank}", asdict(self.peers.me))
        self.thread.start()

    def stop(self) -> None:
        """Say that this process has left the call as it should, or end the watch after a failure."""
        self.left.set()
        self.thread.join(PAUSE_S * 5)

    def _run(self) -> None:
        while not self.left.wait(PAUSE_S):
            self.found = self._ended()
            if self.found is None:
                continue
            if self.found.lost and self.found.rank is not None:
                self.peers.lost.add(self.found.rank)
                if not self.found.rank and not self.peers.has_launcher:
                    self.peers.is_reachable = False
            self.noticed.set()
            if not self.left.wait(GRACE_S):
                # The main thread waits in a call of torch, which nothing can interrupt.
                self._exit(self.found)
            return

    def _exit(self, ended: Ended) -> None:
        if self.peers.me.rank == self.peers.reporter() and sys.__stderr__ is not None:
            print(f"clx: {self.explained(ended)}", file=sys.__stderr__, flush=True)
        os._exit(ended.status)

    def explained(self, ended: Ended) -> str:
        """Return the message about a process that has ended."""
        stops = f"All {self.peers.count} processes stop"
        return (
            f"{ended.message}. {stops}. {self.advice}"
            if ended.lost
            else f"{ended.message}. {stops}."
        )

    def _ended(self) -> Ended | None:
        """Return which process has ended, None if all are there."""
        dead = [rank for rank, process in self.known.items() if self._is_dead(process)]
        if 0 in dead and self.peers.me.rank and not self.peers.has_launcher:
            # Rank 0 has the store.
            return self._lost(0)
        try:
            failed = self.peers.posted(f"{self.call}/failed")
            if failed is not None and failed["rank"] != self.peers.me.rank:
                return Ended(**failed, lost=False)
            self._send_beat()
            lost = next((rank for rank in self.peers.others() if self._is_lost(rank)), None)
        except RuntimeError:
            return self._unreachable()
        if lost is None:
            return None
        return self._lost(lost)

    def _lost(self, rank: int) -> Ended:
        who = str(self.known[rank])
        return Ended(
            rank,
            f"{who[0].upper()}{who[1:]} has ended without a message: it was killed, perhaps because "
            f"memory ran out, or it crashed",
        )

    def _unreachable(self) -> Ended:
        """Return which process has ended if the store cannot be reached: the one that holds it."""
        self.peers.is_reachable = False
        whose = "the launcher of this training" if self.peers.has_launcher else "rank 0"
        return Ended(None, f"{whose[0].upper()}{whose[1:]} can no longer be reached")

    def _is_dead(self, process: Process) -> bool:
        return process.machine == self.peers.me.machine and not is_running(process.pid)

    def _is_lost(self, rank: int) -> bool:
        process = self.known.get(rank)
        if process is None:
            here = self.peers.posted(f"{self.call}/here/{rank}")
            if here is not None:
                self.known[rank] = Process(**here)
            return False
        gone = self._is_dead(process) or self._is_silent(process)
        return gone and self.peers.posted(f"{self.call}/done/{rank}") is None

    def _send_beat(self) -> None:
        if time.monotonic() >= self.next_beat:
            self.beat, self.next_beat = self.beat + 1, time.monotonic() + BEAT_S
            self.peers.put(f"{self.call}/beat/{self.peers.me.rank}", self.beat)

    def _is_silent(self, process: Process) -> bool:
        """Return whether a process of another machine has no heartbeat any more."""
        now = time.monotonic()
        beats = self.beats.setdefault(process.rank, _Beats(now))
        if process.machine == self.peers.me.machine or now < beats.next_look:
            return False
        beats.next_look = now + BEAT_S
        last = self.peers.posted(f"{self.call}/beat/{process.rank}")
        if last != beats.last:
            beats.last, beats.since = last, now
        return now - beats.since > SILENT_S


_WATCHING = threading.Event()
"""Whether this process watches the others; a call within another one needs no second thread."""


@contextlib.contextmanager
def together(advice: str) -> Iterator[None]:
    """Stop the block if another process of the training ends, and the others if the block fails.

    Args:
        advice: what the user can do after a process was lost, as sentences.

    Raises:
        TrainingError: another process has ended; the message names it. If the block waits for it in
            a call of torch that cannot be interrupted, this process exits after a message.
    """
    if process_count() == 1 or _WATCHING.is_set():
        yield
        return
    peers = connected()
    peers.calls += 1
    watch = _Watch(peers, advice)
    _WATCHING.set()
    watch.start()
    try:
        yield
        peers.post(f"{watch.call}/done/{peers.me.rank}", True)
    except BaseException as error:
        ended = _cause(watch, error)
        if ended is not None:
            raise TrainingError(watch.explained(ended)) from error
        who, what = str(peers.me), " ".join(str(error).split())[:500] or type(error).__name__
        message = f"{who[0].upper()}{who[1:]} failed: {what}"
        failed = {"rank": peers.me.rank, "message": message, "status": _status(error)}
        peers.post(f"{watch.call}/failed", failed)
        raise
    finally:
        _WATCHING.clear()
        watch.stop()


def _cause(watch: _Watch, error: BaseException) -> Ended | None:
    """Return the process whose end is the cause of an error of the connection, None for others."""
    if not is_connection_error(error):
        return None
    with _not_terminated():
        watch.noticed.wait(BEAT_S)
    return watch.found


@contextlib.contextmanager
def _not_terminated() -> Iterator[None]:
    """Ignore SIGTERM for the moments that a message takes: launchers send it at once."""
    before = signal.getsignal(signal.SIGTERM)
    is_main_thread = threading.current_thread() is threading.main_thread()
    if not is_main_thread or before is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def is_connection_error(error: BaseException) -> bool:
    """Return whether an error says that torch cannot reach another process."""
    text = str(error).lower()
    is_ours = isinstance(error, ClxError) or not isinstance(error, RuntimeError)
    return not is_ours and any(each in text for each in _CONNECTION)


def _status(error: BaseException) -> int:
    """Return the exit status of the command line for an error."""
    return 2 if isinstance(error, ClxError) else 1
