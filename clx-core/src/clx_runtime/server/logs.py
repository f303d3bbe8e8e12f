"""The log of the server: one JSON object per line. It never contains a text of a client."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any


def log(event: str, **values: Any) -> None:
    """Write a line to stderr."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "event": event, **values}, ensure_ascii=True, default=str)
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        # The reader of the log is gone; the server continues.
        return
