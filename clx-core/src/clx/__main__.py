"""``python -m clx``: the command line for when the ``clx`` script is not on the path."""

from __future__ import annotations

import sys

from clx.cli import main

if __name__ == "__main__":
    sys.exit(main())
