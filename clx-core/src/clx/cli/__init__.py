"""The command line: the words of :mod:`clx.ml`, with data on stdout and the rest on stderr.

Importing it imports nothing heavy, and neither does ``clx --help``: a command imports what it needs
when it runs.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: what stands behind ``clx``; None takes them from ``sys.argv``.

    Returns:
        0 when it was done, 1 when something is broken, 2 when the user has to change something,
        130 after Ctrl-C, 141 when nobody reads stdout any more.
    """
    from clx.cli.failures import close_stdout, ensure_streams, exit_status, show_warning
    from clx.errors import ClxWarning

    ensure_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    with warnings.catch_warnings():
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
            return exit_status(error, debug)


def _run(words: list[str], session: object) -> int:
    from clx.cli.app import PROGRAM, make_command
    from clx.cli.failures import INTERRUPTED

    status = make_command(words).main(
        args=words, prog_name=PROGRAM, standalone_mode=False, obj=session
    )
    if status == INTERRUPTED:
        # typer makes this of a KeyboardInterrupt, or, in older releases, raises Abort.
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0
