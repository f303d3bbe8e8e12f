"""The process of the server: its socket, its signals, and its end."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import uvicorn

from clx_runtime.errors import ConfigError, TruncationWarning
from clx_runtime.server.app import Life, make_app
from clx_runtime.server.connections import protocol
from clx_runtime.server.limits import Limits
from clx_runtime.server.logs import log
from clx_runtime.server.served import Source

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75


@dataclass(frozen=True)
class Settings:
    """The settings of a server.

    Attributes:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        root_path: the path under which a proxy offers the server.
        token: the token that clients have to send; None for no token.
        reload_seconds: how often to look for retrained runs; None for never.
        limits: what the server accepts.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    root_path: str = ""
    token: str | None = None
    reload_seconds: float | None = None
    limits: Limits = field(default_factory=Limits)


class _Server(uvicorn.Server):
    """uvicorn's server, which ends without an error after SIGTERM."""

    def __init__(self, config: uvicorn.Config, life: Life) -> None:
        super().__init__(config)
        self._life = life

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs; uvicorn would raise them again at its end."""
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {each: signal.signal(each, self.handle_exit) for each in wanted}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: answer what was accepted, refuse the rest."""
        self._life.stopping = True
        super().handle_exit(sig, frame)


def serve(sources: Sequence[Source], settings: Settings) -> None:
    """Serve runs until the process gets SIGTERM or SIGINT.

    Raises:
        ConfigError: the address cannot be used, or two runs have the same name.
        ClxError: a run cannot be served.
    """
    warnings.filterwarnings("ignore", category=TruncationWarning)
    life = Life(settings.reload_seconds)
    app = make_app(sources, settings.limits, settings.token, life)
    config = uvicorn.Config(
        app,
        http=protocol(settings.limits.read_seconds),
        root_path=settings.root_path,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.limits.stop_seconds)),
        lifespan="on",
        ws="none",
    )
    server = _Server(config, life)
    with _bound(settings.host, settings.port) as bound:
        url = f"http://{_host(bound)}:{bound.getsockname()[1]}{settings.root_path}"

        def ready() -> None:
            # The loaded objects stay: the garbage collector can skip them.
            gc.collect()
            gc.freeze()
            log("ready", url=url, runs=[source.name for source in sources])

        def failed() -> None:
            server.should_exit = True

        life.ready, life.failed = ready, failed
        server.run(sockets=[bound])
    if life.failure is not None:
        raise life.failure
    log("stopped")


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Return a socket that listens on an address.

    Raises:
        ConfigError: the address is not free, or not one of this machine.
    """
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, number)
    except (OSError, OverflowError) as error:
        raise _taken(host, port, error) from error
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
        except (OSError, OverflowError) as error:
            raise _taken(host, port, error) from error
        yield bound


def _taken(host: str, port: int, error: Exception) -> ConfigError:
    return ConfigError(
        f"The server cannot listen on {host}:{port} ({error}): choose another --port or --host"
    )


def _host(bound: socket.socket) -> Any:
    host = bound.getsockname()[0]
    return f"[{host}]" if ":" in host else host
