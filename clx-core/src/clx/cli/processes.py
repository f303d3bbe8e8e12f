"""The command line in the processes of ``torchrun``: one of them speaks, and all end alike."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

import typer

from clx.cli.failures import (
    InterruptedCommandError,
    OutputClosedError,
    complain,
    exit_status,
    reporting,
)
from clx.errors import ClxError
from clx.ml.machine.distributed import (
    RANKS,
    SIZES,
    has_rank,
    is_main_process,
    process_count,
    process_rank,
)

IN_ALL_PROCESSES = ("train", "cv")
"""The commands that divide their work among the processes."""

PATIENCE_S = 4.0
"""The seconds that a process waits for the main process to report the same failure."""
ALL_ENDED_S = 10.0
"""The seconds that the main process waits for the others to end with the same status."""
START_S = 30.0

_PLACES = ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK")


def begin_process(words: Sequence[str]) -> bool:
    """Prepare this process for a command; return False if it is for the main process alone.

    Of the processes of a training, only the main process writes to stdout and stderr.

    Args:
        words: the command line.
    """
    if process_count() == 1:
        return True
    word = next((word for word in words if not word.startswith("-")), "")
    if word in IN_ALL_PROCESSES:
        # Each process would warn that it looked for unused parameters, and trace lost connections.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        if not is_main_process():
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            sys.stdout = sys.stderr = nowhere
        return True
    if not _is_ours(word) or (word == "predict" and "--shard" in words):
        # A command of a plugin may be for all processes, and a part of a prediction is for one.
        return True
    if not is_main_process():
        return False
    complain(f"warning: clx {word} runs in one process: the others of torchrun have ended")
    for name in (*SIZES, *RANKS, *_PLACES):
        os.environ.pop(name, None)
    return True


def _is_ours(word: str) -> bool:
    from clx.cli.app import COMMANDS
    from clx.cli.plugin_commands import command_name

    return not word or word in {str(command_name(command)) for command in COMMANDS}


def end_process(error: BaseException, debug: bool) -> int:
    """Report an error, once for all processes, and return the exit status."""
    status = exit_status(error, debug)
    is_silent = isinstance(
        error, KeyboardInterrupt | typer.Abort | InterruptedCommandError | OutputClosedError
    )
    outside = threading.current_thread() is not threading.main_thread()
    if process_count() == 1 or outside or is_silent or not has_rank():
        return status
    # A launcher ends the others when the first one ends. This one ends anyway, with its own status.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    message = f"{type(error).__name__}: {error}"
    try:
        reported = _told_others(message, status)
    except ClxError:
        reported = is_main_process()
    if not reported:
        with reporting(sys.__stderr__):
            complain(f"rank {process_rank()} of {process_count()}:")
            exit_status(error, debug)
    return status


def _told_others(message: str, status: int) -> bool:
    """Tell the other processes of a failure; return whether one of them reports it, or this did.

    Raises:
        ClxError: the others cannot be reached.
    """
    from clx.ml.machine.peers import connected

    peers = connected(START_S)
    me, reporter = peers.me.rank, peers.reporter()
    peers.endings += 1
    ended = f"ended{peers.endings}"
    peers.post(f"{ended}/{me}", [message, status])
    if me != reporter:
        main = peers.awaited(f"{ended}/{reporter}", PATIENCE_S)
        return main is not None and main[0] == message
    for rank in peers.others():
        if rank not in peers.lost:
            peers.awaited(f"{ended}/{rank}", ALL_ENDED_S)
    return is_main_process()
