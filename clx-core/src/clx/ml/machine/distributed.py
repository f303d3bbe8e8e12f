"""Training in several processes (``torchrun``): the main process writes while the others wait."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TypeVar, cast

from clx.errors import ClxError, ConfigError

T = TypeVar("T")

SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
RANKS = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""The variables of torchrun and of MPI, in the order in which accelerate reads them."""

TIMEOUT_S = 1800.0
"""The seconds after which a process stops waiting for the others; transformers' ``ddp_timeout``."""


def process_count() -> int:
    """Return the number of processes that ``torchrun`` or MPI started, 1 without them."""
    return max(1, _first_number(SIZES) or 1)


def process_rank() -> int:
    """Return the number of this process among them, from 0."""
    return _first_number(RANKS) or 0


def is_main_process() -> bool:
    """Return whether this process writes files: it is the first process or the only one."""
    return process_count() == 1 or process_rank() == 0


def require_main_process(what: str) -> None:
    """Refuse what only one process may do.

    Args:
        what: the action, as in "may change it".

    Raises:
        ConfigError: this is not the first process of ``torchrun``.
    """
    if not is_main_process():
        raise ConfigError(
            f"Only the first of the {process_count()} processes of torchrun may {what}, but this is "
            f"rank {process_rank()}: call it where os.environ['RANK'] is '0', or in a program of its own"
        )


def has_rank() -> bool:
    """Return whether the launcher gave this process a rank."""
    return _first_number(RANKS) is not None


def _first_number(names: Sequence[str]) -> int | None:
    values = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in values if value.strip().isdecimal()), None)


def join(on_cpu: bool, timeout_s: float = TIMEOUT_S) -> None:
    """Connect to the other processes, if there are any, before anything is written.

    Args:
        on_cpu: whether the training runs on the CPU.
        timeout_s: the seconds after which a process that waits for the others gives up.
    """
    if process_count() > 1:
        from accelerate import PartialState

        PartialState(cpu=on_cpu, timeout=timedelta(seconds=timeout_s))
    wait()


def wait() -> None:
    """Wait until all processes have reached this call."""
    if process_count() > 1:
        import torch

        torch.distributed.barrier()


def by_main_process(step: Callable[[], T]) -> T | None:
    """Run a step in the main process only; a user's mistake in it is raised in all processes.

    Returns:
        What the step returns, None in the other processes.
    """
    result, error = None, None
    if is_main_process():
        try:
            result = step()
        except ClxError as caught:
            error = caught
    error = broadcast(error)
    if error is not None:
        raise error
    return result


def main_process_first(step: Callable[[], T]) -> T:
    """Run a step in the main process, then in the others, which find the files it wrote."""
    result = by_main_process(step)
    return step() if result is None and not is_main_process() else cast("T", result)


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
    """Enter a context in the main process only; a user's mistake then is raised in all processes."""
    with contextlib.ExitStack() as stack:
        by_main_process(lambda: stack.enter_context(context))
        yield
