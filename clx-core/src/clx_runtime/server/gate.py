"""The steps for every request: check the token, log it, and refuse it while the server stops."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clx_runtime.server.refusals import UNAUTHORIZED, Refusal, unavailable
from clx_runtime.server.runs import Log

_OPEN = frozenset({"/health", "/ping"})


class Gate:
    """An ASGI application around the server's.

    Args:
        app: the server.
        token: the token that clients have to send; None for no token.
        log: writes a line of the log.
        stopping: returns whether the server is about to stop.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, log: Log, stopping: Callable[[], bool]
    ) -> None:
        self._app, self._log, self._stopping = app, log, stopping
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or refuse it; then log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if _is_run(path) and not path.endswith("/"):
            # The address of a run, as clients write it; a redirect would lose their request.
            scope = {**scope, "path": scope["path"] + "/"}
        refusal = self._refusal(scope, path)
        try:
            if refusal is not None:
                await respond(refusal, noted)
            else:
                await self._app(scope, receive, noted)
        finally:
            self._log(
                "request",
                method=scope["method"],
                path=path[:200],
                status=status,
                ms=round(1000 * (time.monotonic() - started), 1),
                **scope.get("clx", {}),
            )

    def _refusal(self, scope: Scope, path: str) -> Refusal | None:
        if not self._is_allowed(scope, path):
            message = "Send the header Authorization: Bearer <token>"
            return Refusal(401, UNAUTHORIZED, message, {"www-authenticate": "Bearer"})
        if self._stopping() and scope["method"] == "POST":
            return unavailable("The server is stopping")
        return None

    def _is_allowed(self, scope: Scope, path: str) -> bool:
        if self._expected is None or path in _OPEN or _is_page(scope["method"], path):
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self._expected)


def _is_page(method: str, path: str) -> bool:
    """Return whether a request is for the page, which contains nothing of a run."""
    return method == "GET" and (path == "/" or _is_run(path))


def _is_run(path: str) -> bool:
    """Return whether a path is the root of a run."""
    parts = path.strip("/").split("/")
    return len(parts) == 2 and parts[0] == "runs"


async def respond(refusal: Refusal, send: Send) -> None:
    """Send a refusal."""
    body = json.dumps(refusal.body()).encode()
    headers: dict[str, Any] = {"content-type": "application/json", **refusal.headers}
    headers["content-length"] = str(len(body))
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
