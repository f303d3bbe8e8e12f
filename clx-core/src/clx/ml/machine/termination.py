"""SIGTERM during a long call: a scheduler wants the process to end, and waits some seconds."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STATUS = 128 + signal.SIGTERM
"""The exit status of a process that SIGTERM ended, as a shell reports it."""


@contextlib.contextmanager
def noticing_sigterm() -> Iterator[Callable[[], None]]:
    """Notice SIGTERM in the block, instead of ending the process at any instruction.

    Outside the main thread, and if the program has its own handler, nothing changes.

    Yields:
        a function that raises ``SystemExit`` with status 143 once SIGTERM has arrived.
    """
    asked = threading.Event()

    def check() -> None:
        if asked.is_set():
            raise SystemExit(STATUS)

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield check
        return
    signal.signal(signal.SIGTERM, ask)
    try:
        yield check
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    check()
