"""The command line ``clx``, which offers :mod:`clx.ml` in a shell; :func:`main` runs one command.

Data goes to stdout, everything else to stderr. Neither this package nor ``clx --help`` imports anything
heavy: each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: the words after ``clx``, or None to take them from ``sys.argv``.

    Returns:
        0 if the command succeeded, 1 if something is broken, 2 if the user must change something,
        130 after Ctrl-C, 141 if the reader of stdout is gone.
    """
    from clx.cli.failures import close_stdout, ensure_streams, show_warning
    from clx.cli.processes import begin_process, end_process
    from clx.cli.streams import text_above_bars
    from clx.errors import ClxWarning

    ensure_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not begin_process(words):
        return 0
    with text_above_bars(), warnings.catch_warnings():
        warnings.simplefilter("always", ClxWarning)
        warnings.showwarning = show_warning
        debug = False
        try:
            from clx.cli.app import Session

            session = Session()
            try:
                return _run(words, session)
            finally:
                debug = session.debug
        except (Exception, KeyboardInterrupt) as error:
            close_stdout()
            return end_process(error, debug)


def _run(words: list[str], session: object) -> int:
    from clx.cli.app import PROGRAM, make_command
    from clx.cli.failures import INTERRUPTED

    status = make_command(words).main(
        args=words, prog_name=PROGRAM, standalone_mode=False, obj=session
    )
    if status == INTERRUPTED:
        # typer returns this status for a KeyboardInterrupt; older releases raise Abort.
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0
