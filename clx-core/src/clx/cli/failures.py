"""How a command fails: one message on stderr and an exit status."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, TextIO, cast

import typer

from clx.errors import (
    ClxError,
    ClxWarning,
    ConfigError,
    DataFormatError,
    RunDirError,
    RunNotFoundError,
    TaskNotFoundError,
    UnfinishedError,
)
from clx.ml.machine import terminal

BROKEN = 1
USER_ERROR = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""A shell reports 128 + the signal's number for a program that SIGINT or SIGPIPE ended."""

# click's UsageError: older releases of typer import it from click, newer ones have a copy.
_USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__bases__[0])

MISTAKES = (
    ConfigError,
    DataFormatError,
    RunDirError,
    RunNotFoundError,
    TaskNotFoundError,
    _USAGE_ERROR,
)
"""The errors that wrong arguments, or arguments in a wrong order, may cause."""


def usage_error(message: str, context: typer.Context) -> Exception:
    """Return the error for arguments that are missing or too many; it shows the usage."""
    return _USAGE_ERROR(message, context)


class OutputClosedError(Exception):
    """The reader of stdout is gone, as when ``head`` has enough lines."""


class InterruptedCommandError(Exception):
    """Ctrl-C, with the user's next step. typer drops the message of a KeyboardInterrupt."""


@contextlib.contextmanager
def output_may_close() -> Iterator[None]:
    """Raise :class:`OutputClosedError` if code that writes to stdout finds it closed."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosedError from error


def exit_status(error: BaseException, debug: bool) -> int:
    """Report an error on stderr and return its exit status."""
    if isinstance(error, OutputClosedError):
        return OUTPUT_CLOSED
    if isinstance(error, KeyboardInterrupt | typer.Abort | InterruptedCommandError):
        complain(_with_cli_options(str(error)) or "interrupted")
        return INTERRUPTED
    if debug:
        traceback.print_exception(error)
    if isinstance(error, _USAGE_ERROR):
        _complain_of_usage(error)
        return USER_ERROR
    if isinstance(error, ClxError):
        complain(f"error: {_with_cli_options(str(error))}")
        _complain_of_hints(error)
        # What is unfinished is no mistake in the command: a scheduler may run it again.
        return BROKEN if isinstance(error, UnfinishedError) else USER_ERROR
    complain(f"error: unexpected {type(error).__name__}: {_first_line(error)}")
    for note in getattr(error, "__notes__", ()):
        complain(f"  {note}")
    if not debug:
        complain("Run the command as `clx --debug …` to see the traceback.")
    return BROKEN


def _with_cli_options(message: str) -> str:
    """Replace the Python arguments in a message by the command-line options."""
    for argument, option in {"overwrite=True": "--overwrite", "resume=True": "--resume"}.items():
        message = message.replace(argument, option)
    return message.replace("train(...) call with --resume", "command with --resume")


def _complain_of_hints(error: BaseException) -> None:
    """Write the notes of an error that are for users; the others are for the author of a task."""
    from clx.cli.hints import Hint

    for note in getattr(error, "__notes__", ()):
        if isinstance(note, Hint):
            complain(note)


def _complain_of_usage(error: BaseException) -> None:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    complain(f"error: {message}")
    _complain_of_hints(error)
    context = getattr(error, "ctx", None)
    unknown = getattr(error, "option_name", None)
    if context is not None and isinstance(unknown, str):
        _complain_of_guess(unknown, context)
    if context is not None:
        complain(f"{context.get_usage()}\nSee `{context.command_path} --help`.")


def _complain_of_guess(unknown: str, context: Any) -> None:
    """Say what to write for an option that another library has, if the command has that argument."""
    from clx.cli.assignments import line_for

    options = context.command.params
    own = {flag for each in options for flag in (*each.opts, *each.secondary_opts)}
    line = line_for(unknown.lstrip("-").replace("-", "_"), own)
    if line is not None and (line.split()[0] in own or not line.startswith("--")):
        complain(f"For {unknown}, write {line}")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "(no message)"


def complain(message: str) -> None:
    """Write a message to stderr, above any progress bar there; a terminal gets wrapped lines."""
    if terminal.is_terminal(sys.stderr):
        from clx.cli.drawing import wrapped_message

        message = wrapped_message(message, terminal.columns(sys.stderr))
    bar = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if bar is None:
        print(message, file=sys.stderr)
    else:
        bar.write(message, file=sys.stderr)


@contextlib.contextmanager
def reporting(stream: TextIO | None) -> Iterator[None]:
    """Write to another stream than stderr, unless there is none."""
    with contextlib.redirect_stderr(stream or sys.stderr):
        yield


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a clx warning without the place in the code, and any other warning as Python does.

    Replaces ``warnings.showwarning``.
    """
    if issubclass(category, ClxWarning):
        complain(f"warning: {str(message).strip()}")
    else:
        complain(warnings.formatwarning(message, category, filename, lineno, line).rstrip())


def ensure_streams() -> None:
    """Open ``os.devnull`` for each standard stream that the process was started without."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def close_stdout() -> None:
    """Flush stdout. If that fails, redirect it to ``os.devnull`` so that Python's exit is silent."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
        except (OSError, ValueError):
            return
