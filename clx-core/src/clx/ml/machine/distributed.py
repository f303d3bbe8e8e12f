"""A training by several processes (``torchrun``): one of them writes, the others wait for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

T = TypeVar("T")


def process_count() -> int:
    """Return how many processes ``torchrun`` started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_writer() -> bool:
    """Return whether this is the process that writes: the first, or the only one."""
    return process_count() == 1 or os.environ.get("RANK", "0") == "0"


def join(on_cpu: bool) -> None:
    """Meet the other processes, if there are any, before anything is written."""
    if process_count() > 1:
        from accelerate import PartialState

        PartialState(cpu=on_cpu)
    wait()


def wait() -> None:
    """Wait until all processes are here."""
    if process_count() > 1:
        import torch

        torch.distributed.barrier()


def writer_first(step: Callable[[], T]) -> T:
    """Do a step in the writing process, then in the others, which find what it has done."""
    if not is_writer():
        wait()
        return step()
    result = step()
    wait()
    return result


def agreed(value: T) -> T:
    """Return the writing process' value in every process: clocks differ, and decisions must not."""
    if process_count() == 1:
        return value
    import torch

    values = [value]
    torch.distributed.broadcast_object_list(values, src=0)
    return values[0]


@contextlib.contextmanager
def by_writer(context: AbstractContextManager[object]) -> Iterator[None]:
    """Enter a context in the writing process only."""
    with context if is_writer() else contextlib.nullcontext():
        yield
