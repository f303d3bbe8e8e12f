"""The application: routes, refusals as responses, and the runs, which it loads when it starts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from clx_runtime import __version__
from clx_runtime.errors import ClxError
from clx_runtime.server.answering import Answering
from clx_runtime.server.api_page import api_page
from clx_runtime.server.gate import Gate
from clx_runtime.server.limits import Limits
from clx_runtime.server.logs import log
from clx_runtime.server.metrics import Metrics
from clx_runtime.server.refusals import NOT_FOUND, VALIDATION, Refusal
from clx_runtime.server.routes import health_routes, prediction_routes, status_routes
from clx_runtime.server.runs import Runs
from clx_runtime.server.served import Source

_ABOUT = "The first run answers at the root, and every run under /runs/{name}/ with the same paths."


@dataclass
class Life:
    """How a server begins and ends.

    Attributes:
        reload_seconds: how often to look for retrained runs; None for never.
        stopping: whether the server is about to stop.
        failure: why a run could not be loaded.
        ready: called when all runs answer.
        failed: called when a run cannot be loaded.
    """

    reload_seconds: float | None = None
    stopping: bool = False
    failure: ClxError | None = None
    ready: Callable[[], None] = field(default=lambda: None)
    failed: Callable[[], None] = field(default=lambda: None)


def make_app(
    sources: Sequence[Source],
    limits: Limits | None = None,
    token: str | None = None,
    life: Life | None = None,
) -> ASGIApp:
    """Return the server as an ASGI application.

    Args:
        sources: the runs; the first one answers at the root.
        limits: the limits of the server.
        token: the token that clients have to send; None for no token.
        life: how the server begins and ends.

    Raises:
        ConfigError: two runs have the same name.
    """
    limits, life, metrics = limits or Limits(), life or Life(), Metrics()
    runs = Runs(sources, limits, metrics, log)
    answering = Answering(runs, limits, metrics, log)

    def stopping() -> bool:
        return life.stopping

    app = FastAPI(
        title=f"clx: {', '.join(runs.names())}",
        description=_ABOUT,
        version=__version__,
        lifespan=lambda _: _lifespan(runs, life),
        docs_url=None,
        redoc_url=None,
    )

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(api_page(app.openapi(), request.scope.get("root_path", "")))

    app.include_router(health_routes(answering, stopping))
    for router in (prediction_routes(answering), status_routes(answering)):
        app.include_router(router)
        app.include_router(router, prefix="/runs/{name}", include_in_schema=False)
    app.add_exception_handler(Refusal, partial(_refused, metrics))
    app.add_exception_handler(HTTPException, _not_found)
    return Gate(app, token, log, stopping)


@contextlib.asynccontextmanager
async def _lifespan(runs: Runs, life: Life) -> AsyncIterator[None]:
    async def work() -> None:
        try:
            await runs.load()
        except ClxError as error:
            life.failure = error
            life.failed()
            return
        life.ready()
        if life.reload_seconds is not None:
            await runs.reload(life.reload_seconds)

    task = asyncio.ensure_future(work())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    runs.close()


async def _refused(metrics: Metrics, _: Request, error: Any) -> JSONResponse:
    metrics.failed(error.kind)
    return JSONResponse(error.body(), error.status, error.headers)


async def _not_found(_: Request, error: Any) -> JSONResponse:
    kind = NOT_FOUND if error.status_code == 404 else VALIDATION
    body = {"error": str(error.detail), "error_type": kind}
    return JSONResponse(body, error.status_code, error.headers)
