"""Training in several processes (``torchrun``): the main process writes, the others wait for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

T = TypeVar("T")


def process_count() -> int:
    """Return the number of processes that ``torchrun`` started, 1 without ``torchrun``."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main_process() -> bool:
    """Return whether this process writes files: it is the first process or the only one."""
    return process_count() == 1 or os.environ.get("RANK", "0") == "0"


def join(on_cpu: bool) -> None:
    """Connect to the other processes, if there are any, before anything is written."""
    if process_count() > 1:
        from accelerate import PartialState

        PartialState(cpu=on_cpu)
    wait()


def wait() -> None:
    """Wait until all processes have reached this call."""
    if process_count() > 1:
        import torch

        torch.distributed.barrier()


def main_process_first(step: Callable[[], T]) -> T:
    """Run a step in the main process, then in the others, which find the files it wrote."""
    if not is_main_process():
        wait()
        return step()
    result = step()
    wait()
    return result


def broadcast(value: T) -> T:
    """Return the main process's value in every process: clocks may differ, decisions must not."""
    if process_count() == 1:
        return value
    import torch

    values = [value]
    torch.distributed.broadcast_object_list(values, src=0)
    return values[0]


@contextlib.contextmanager
def on_main_process(context: AbstractContextManager[object]) -> Iterator[None]:
    """Enter a context in the main process only."""
    with context if is_main_process() else contextlib.nullcontext():
        yield
