"""Forked processes: make a child of ``os.fork`` independent of its parent's threads and locks.

Only the forking thread exists in the child. A lock that another thread held stays locked there, and
a thread pool has no threads: torch would wait forever for those of OpenMP.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Protocol

LONGEST_WAIT = 60.0
"""The number of seconds that a fork waits for other threads, for instance while they load a model."""


_TOKENIZERS = "TOKENIZERS_PARALLELISM"


class Renewed(Protocol):
    """An object with locks or threads that a forked process cannot use."""

    def after_fork(self) -> None:
        """Replace the locks and threads; called in the child."""


class _Forks:
    """The state of this process: which threads must not be forked now, and how it was forked."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.inside: Counter[int] = Counter()
        self.forking: int | None = None
        self.owners: weakref.WeakSet[Renewed] = weakref.WeakSet()
        self.had_torch = self.had_cuda = False
        self.stale_thread: int | None = None
        self.registered = False

    def register(self) -> None:
        """Register for forks at the first use."""
        if self.registered or not hasattr(os, "register_at_fork"):
            return
        self.registered = True
        # Python calls the functions in reverse order. These modules take locks before a fork. If
        # they were imported later, they would lock first, and a thread that loads a model would
        # wait for them.
        # Only clx itself uses filelock, while it loads a model.
        others = ("filelock",) if find_spec("clx") is not None else ()
        for name in ("concurrent.futures.thread", "logging", *others):
            # Where filelock is not installed, nothing locks with it.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)

        os.register_at_fork(
            before=self.before,
            after_in_parent=self.after_in_parent,
            after_in_child=self.after_in_child,
        )

    def before(self) -> None:
        """Wait until no other thread is inside a protected block, and let no thread enter one."""
        me, until = threading.get_ident(), time.monotonic() + LONGEST_WAIT
        with self.changed:
            self.changed.wait_for(lambda: self.forking is None, until - time.monotonic())
            self.forking = me
            self.changed.wait_for(lambda: set(self.inside) <= {me}, until - time.monotonic())
        torch = sys.modules.get("torch")
        self.had_torch = torch is not None
        cuda = getattr(torch, "cuda", None)
        self.had_cuda = self.had_cuda or (cuda is not None and bool(cuda.is_initialized()))

    def after_in_parent(self) -> None:
        with self.changed:
            self.forking = None
            self.changed.notify_all()

    def after_in_child(self) -> None:
        me = threading.get_ident()
        self.changed = threading.Condition()
        self.inside = Counter({me: self.inside[me]} if self.inside[me] else {})
        self.forking = None
        self.stale_thread = me if self.had_torch else None
        # tokenizers detects that its threads are gone, unless a variable tells it to use threads.
        if "tokenizers" in sys.modules and os.environ.get(_TOKENIZERS):
            os.environ[_TOKENIZERS] = "false"
        for owner in list(self.owners):
            owner.after_fork()


_FORKS = _Forks()


def renew_after_fork(owner: Renewed) -> None:
    """Call ``owner.after_fork()`` in every process that is forked from now on."""
    _FORKS.register()
    _FORKS.owners.add(owner)


@contextlib.contextmanager
def not_forked() -> Iterator[None]:
    """Delay a fork by another thread until the block ends, and the block until a fork has ended.

    The block may hold locks of a library or import a module. Acquire locks of clx before it.
    """
    _FORKS.register()
    me = threading.get_ident()
    with _FORKS.changed:
        if not _FORKS.inside[me]:
            _FORKS.changed.wait_for(lambda: _FORKS.forking in (None, me), LONGEST_WAIT)
        _FORKS.inside[me] += 1
    try:
        yield
    finally:
        with _FORKS.changed:
            _FORKS.inside[me] -= 1
            if not _FORKS.inside[me]:
                del _FORKS.inside[me]
            _FORKS.changed.notify_all()


def inherited_thread() -> int | None:
    """Return the thread that came from a parent which had imported torch, None if there is none."""
    return _FORKS.stale_thread


def inherited_gpu() -> bool:
    """Return whether this process was forked from one that had used the GPU."""
    return _FORKS.stale_thread is not None and _FORKS.had_cuda
