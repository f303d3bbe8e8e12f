"""How many threads compute."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from clx_runtime.cpus import given_cpus, with_threads
from clx_runtime.forks import not_forked, renew_after_fork


class _TorchThreads:
    """Torch's number of threads while calls run.

    It belongs to a thread, and is what new threads begin with. So each call restores the number that
    the process had before the first of the calls that overlap.
    """

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget the calls of the parent process, whose threads this process lacks."""
        self._lock = threading.Lock()
        self._calls = self._before = 0

    @contextlib.contextmanager
    def limited(self, threads: int | None) -> Iterator[None]:
        with not_forked():
            import torch
        with self._lock:
            if not self._calls:
                self._before = torch.get_num_threads()
            self._calls += 1
            before = self._before
        wanted = min(given_cpus(), before) if threads is None else threads
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)
        try:
            yield
        finally:
            # A forked process may have set it to 1, which must stay.
            if before != wanted and torch.get_num_threads() == wanted:
                torch.set_num_threads(before)
            with self._lock:
                self._calls -= 1


_TORCH = _TorchThreads()


@contextlib.contextmanager
def computing_threads(threads: int | None, with_torch: bool) -> Iterator[None]:
    """Compute with a number of threads in the block.

    Args:
        threads: how many. With None, torch gets at most the CPUs that this process was given.
        with_torch: whether torch computes in the block. Sessions of ONNX Runtime always get the
            number when they are created.
    """
    limited = _TORCH.limited(threads) if with_torch else contextlib.nullcontext()
    with with_threads(threads), limited:
        yield
