"""Close the connections of clients that never finish a request's heading."""

from __future__ import annotations

import importlib.util
from typing import Any


def protocol(seconds: float) -> type[Any]:
    """Return uvicorn's protocol for HTTP, with a time limit for the heading of a request.

    Args:
        seconds: how long a connection may be open between two requests, or before the first one,
            while it sends something.
    """
    base: type[Any]
    if importlib.util.find_spec("httptools") is not None:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as base
    else:
        from uvicorn.protocols.http.h11_impl import H11Protocol as base

    class Limited(base):  # type: ignore[misc]
        """Closes a connection on which no request has begun or ended for some time."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._seen = self.cycle
            self._check = self.loop.call_later(seconds, self._close_if_slow)

        def connection_lost(self, exc: Exception | None) -> None:
            self._check.cancel()
            super().connection_lost(exc)

        def _close_if_slow(self) -> None:
            idle = self.cycle is None or self.cycle.response_complete
            if idle and self.cycle is self._seen:
                self.transport.close()
                return
            self._seen = self.cycle
            self._check = self.loop.call_later(seconds, self._close_if_slow)

    return Limited
