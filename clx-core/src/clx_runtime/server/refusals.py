"""Requests that are not answered: the statuses and bodies of Text Embeddings Inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

VALIDATION = "Validation"
EMPTY = "Empty"
BACKEND = "Backend"
OVERLOADED = "Overloaded"
UNHEALTHY = "Unhealthy"
UNAUTHORIZED = "Unauthorized"
NOT_FOUND = "NotFound"


class Refusal(Exception):
    """An answer other than 200.

    Args:
        status: the status of the response.
        kind: the ``error_type`` of its body.
        message: what is wrong and what to do. It contains no text of the client.
        headers: further headers.
        detail: the places in the request that are wrong.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        detail: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message
        self.headers = dict(headers or {})
        self.detail = detail

    def body(self) -> dict[str, Any]:
        """Return the body of the response."""
        body = {"error": self.message, "error_type": self.kind}
        return body if self.detail is None else {**body, "detail": self.detail}


def overloaded(requests: int) -> Refusal:
    """Return the refusal of a request beyond the limit of concurrent requests."""
    message = f"The server answers {requests} requests at once: try again"
    return Refusal(429, OVERLOADED, message, {"retry-after": "1"})


def unavailable(message: str) -> Refusal:
    """Return the refusal of a request that may succeed later."""
    return Refusal(503, UNHEALTHY, message, {"retry-after": "1"})


def invalid(place: tuple[str | int, ...], message: str, status: int = 422) -> Refusal:
    """Return the refusal of a request with a wrong value.

    Args:
        place: the keys and positions that lead to the value.
        message: what is wrong with it.
        status: the status of the response.
    """
    where = ".".join(map(str, place))
    text = f"{where}: {message}" if where else message
    return Refusal(status, VALIDATION, text, detail=[{"loc": ["body", *place], "msg": message}])
