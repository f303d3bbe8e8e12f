"""The limits of the server."""

from __future__ import annotations

from dataclasses import dataclass

from clx_runtime.errors import ConfigError
from clx_runtime.problems import raise_problems

BUDGETS = {"cpu": 4096}
OTHER_BUDGET = 16_384


@dataclass(frozen=True)
class Limits:
    """The limits of the server.

    Attributes:
        requests: how many requests are answered at once; more get the status 429.
        texts: the most texts of one request; more get 413.
        body: the most bytes of a request; more get 413.
        truncate: whether a text that is longer than the model reads is truncated, or refused.
        queue_seconds: how long a text may wait; then its request gets 503.
        read_seconds: how long a client may take to send a request.
        stop_seconds: how long the server answers what it has accepted after it was told to stop.
        batch_tokens: about how many tokens the model computes at once; None depends on the device.
    """

    requests: int = 512
    texts: int = 128
    body: int = 2_000_000
    truncate: bool = True
    queue_seconds: float = 30.0
    read_seconds: float = 20.0
    stop_seconds: float = 30.0
    batch_tokens: int | None = None

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be more than 0, but is {value}"
            for name, value in vars(self).items()
            if value is not None and name != "truncate" and not value > 0
        ]
        raise_problems(ConfigError, "The server cannot start:", problems)

    def tokens(self, device: str) -> int:
        """Return about how many tokens to compute at once on a kind of device."""
        return self.batch_tokens or BUDGETS.get(device, OTHER_BUDGET)
