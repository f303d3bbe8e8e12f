"""Progress of a long call: a bar on a terminal and in a notebook, and lines in a file."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from clx.ml.machine.distributed import is_main_process
from clx.ml.machine.terminal import beneath_bars, columns, is_terminal, moves_cursor

T = TypeVar("T")


def progress_bar(items: Any = None, **options: Any) -> Any:
    """Return a bar of tqdm, which shows the progress on stderr.

    On a terminal, the bar is one line, from which the least important values are left out if the line
    is too short. A notebook shows a widget. Anywhere else, and in plain mode, a line of text is written
    every ten seconds.

    Args:
        items: what to iterate over, None for a bar that is updated by its user.
        options: the arguments of ``tqdm``, such as ``desc``, ``unit`` (a plural), ``total``, ``delay``,
            ``leave``, and ``disable``.
    """
    from tqdm.auto import tqdm
    from tqdm.autonotebook import tqdm as notebook_or_standard
    from tqdm.std import tqdm as standard

    from clx.ml.machine.bars import LineBar, TerminalBar

    # Left out, so that the environment variable TQDM_DISABLE counts.
    if not options.get("disable"):
        options.pop("disable", None)
    if notebook_or_standard is not standard:
        return tqdm(items, **options)
    stream = beneath_bars(sys.stderr)
    if moves_cursor(stream):
        return TerminalBar(items, file=stream, **options)
    return LineBar(items, file=stream, **options)


def write_message(message: str) -> None:
    """Write a message to stderr, above any bar there; a terminal gets wrapped lines."""
    from tqdm.std import tqdm

    stream = beneath_bars(sys.stderr)
    if is_terminal(stream):
        message = textwrap.fill(
            message, columns(stream), break_long_words=False, break_on_hyphens=False
        )
    tqdm.write(message, file=stream)


def with_progress(
    items: Sequence[T], what: str, unit: str, arguments: Mapping[str, Any]
) -> Iterator[T]:
    """Yield the items behind a progress bar, which only the main process shows.

    Args:
        items: the parts.
        what: what the bar is called.
        unit: what the items are called, a plural.
        arguments: training arguments, whose ``disable_tqdm`` hides the bar.
    """
    hidden = bool(arguments.get("disable_tqdm")) or not is_main_process()
    yield from progress_bar(items, desc=what, unit=unit, disable=hidden)
