"""How a command ends when it cannot go on: one message on stderr and an exit status."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import TextIO

import typer

from clx.errors import ClxError, ClxWarning

BROKEN = 1
USER_ERROR = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""What a shell reports for a program that SIGPIPE or SIGINT ended: 128 + the signal."""

# click's own class, which older releases of typer take from click and newer ones from a copy.
_USAGE_ERROR: type = typer.BadParameter.__bases__[0]


class OutputClosedError(Exception):
    """Nobody reads stdout any more, as when it goes into ``head``."""


@contextlib.contextmanager
def output_may_close() -> Iterator[None]:
    """Tell a closed stdout from other errors, for code that writes to it."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosedError from error


def exit_status(error: BaseException, debug: bool) -> int:
    """Say on stderr what went wrong and return the exit status for it."""
    if isinstance(error, OutputClosedError):
        return OUTPUT_CLOSED
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        complain(_in_our_words(str(error)) or "interrupted")
        return INTERRUPTED
    if debug:
        traceback.print_exception(error)
    if isinstance(error, _USAGE_ERROR):
        _complain_of_usage(error)
        return USER_ERROR
    if isinstance(error, ClxError):
        complain(f"error: {_in_our_words(str(error))}")
        return USER_ERROR
    complain(f"error: unexpected {type(error).__name__}: {_first_line(error)}")
    for note in getattr(error, "__notes__", ()):
        complain(f"  {note}")
    if not debug:
        complain("Run it as `clx --debug …` to see where it was raised.")
    return BROKEN


def _in_our_words(message: str) -> str:
    """Return a message of the Python interface with the options of the command line."""
    for argument, option in {"overwrite=True": "--overwrite", "resume=True": "--resume"}.items():
        message = message.replace(argument, option)
    return message


def _complain_of_usage(error: BaseException) -> None:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    complain(f"error: {message}")
    context = getattr(error, "ctx", None)
    if context is not None:
        complain(f"{context.get_usage()}\nSee `{context.command_path} --help`.")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "(no message)"


def complain(message: str) -> None:
    """Write a line to stderr, above any progress bar that is shown there."""
    bar = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if bar is None:
        print(message, file=sys.stderr)
    else:
        bar.write(message, file=sys.stderr)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning of clx as one line; those of others as Python does.

    It takes the place of ``warnings.showwarning``.
    """
    if issubclass(category, ClxWarning):
        complain(f"warning: {' '.join(str(message).split())}")
    else:
        complain(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def ensure_streams() -> None:
    """Give a process that was started without some standard stream one that leads nowhere."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def close_stdout() -> None:
    """Flush stdout; where that fails let it go nowhere, so that Python's exit does not complain."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
        except (OSError, ValueError):
            return
