"""From a request for predictions to its response: read, compute, and drop it if the client leaves."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from clx_runtime.errors import ClxError, DataFormatError
from clx_runtime.server.batching import Answer, Batcher
from clx_runtime.server.bodies import body_of
from clx_runtime.server.limits import Limits
from clx_runtime.server.metrics import Metrics
from clx_runtime.server.refusals import BACKEND, VALIDATION, Refusal, overloaded
from clx_runtime.server.runs import Log, Runs
from clx_runtime.server.served import Needs, Served

IDENTITY = "x-clx-model"
CLIENT_GONE = 499
"""The status in the log for a client that left before its answer."""


@dataclass(frozen=True)
class Asked:
    """A request for predictions.

    Attributes:
        texts: the texts.
        single: whether it asks for a single text.
        needs: what to compute.
        truncate: whether to answer for a truncated text.
        write: returns the body of the response.
    """

    texts: list[str]
    single: bool
    needs: Needs
    truncate: bool
    write: Callable[[Served, Sequence[Answer]], Any]


class Answering:
    """Answers requests for predictions.

    Args:
        runs: the runs of the server.
        limits: the limits of the server.
        metrics: the metrics to record.
        log: writes a line of the log.
    """

    def __init__(self, runs: Runs, limits: Limits, metrics: Metrics, log: Log) -> None:
        self.runs, self.limits, self.metrics, self._log = runs, limits, metrics, log
        self._active = 0

    async def answer(
        self,
        request: Request,
        read: Callable[[bytes, Served], Asked],
        failed: int = 500,
        too_long: int = 422,
    ) -> Response:
        """Answer one request.

        Args:
            request: the request.
            read: returns what a body asks of a run.
            failed: the status if the model fails.
            too_long: the status for a text that is too long, if it is not truncated.

        Raises:
            Refusal: the request is not answered.
        """
        if self._active >= self.limits.requests:
            raise overloaded(self.limits.requests)
        self._active += 1
        try:
            return await self._answered(request, read, failed, too_long)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        finally:
            self._active -= 1

    async def _answered(
        self,
        request: Request,
        read: Callable[[bytes, Served], Asked],
        failed: int,
        too_long: int,
    ) -> Response:
        started = time.monotonic()
        body = await body_of(request, self.limits)
        batcher = self.runs.batcher(request.path_params.get("name"))
        served = batcher.served
        asked = read(body, served)
        if asked.needs.logits and not served.facts.labels:
            message = f"The task {served.facts.task} has no labels with scores: use /v1/labels"
            raise Refusal(424, BACKEND, message)
        method = "single" if asked.single else "batch"
        self.metrics.asked(method)
        answers = await self._computed(request, batcher, asked, failed)
        if answers is None:
            return Response(status_code=CLIENT_GONE)
        if not asked.truncate:
            _refuse_long(served, answers, too_long)
        try:
            content = json.dumps(
                asked.write(served, answers), allow_nan=False, ensure_ascii=False, default=_plain
            )
        except ValueError as error:
            raise Refusal(
                failed, BACKEND, "The model returned a score that is not a number"
            ) from error
        headers = self._recorded(request, method, started, served, answers)
        return Response(content.encode(), media_type="application/json", headers=headers)

    def _recorded(
        self,
        request: Request,
        method: str,
        started: float,
        served: Served,
        answers: Sequence[Answer],
    ) -> dict[str, str]:
        """Record an answered request, and return the headers of its response."""
        taken = time.monotonic() - started
        queued = max((each.queued for each in answers), default=0.0)
        self.metrics.answered(method, taken, queued)
        request.scope["clx"] = {
            "run": served.facts.name,
            "texts": len(answers),
            "queue_ms": round(1000 * queued, 1),
        }
        return {
            IDENTITY: served.facts.identity,
            "x-compute-tokens": str(sum(each.tokens for each in answers)),
            "x-queue-time": str(round(1000 * queued)),
            "x-total-time": str(round(1000 * taken)),
        }

    async def _computed(
        self, request: Request, batcher: Batcher, asked: Asked, failed: int
    ) -> list[Answer] | None:
        """Return the results of a request's texts; None if the client is gone."""
        futures = batcher.submit(asked.texts, asked.needs)
        gone = asyncio.ensure_future(_gone(request))
        gone.add_done_callback(lambda _: [each.cancel() for each in futures])
        try:
            return [await each for each in futures]
        except asyncio.CancelledError:
            if gone.done():
                return None
            raise
        except Refusal:
            raise
        except DataFormatError as error:
            raise Refusal(422, VALIDATION, str(error)) from error
        except Exception as error:
            # The message of any other error may quote a text.
            known = str(error) if isinstance(error, ClxError) else "The model failed"
            self._log("failed", run=batcher.served.facts.name, error=type(error).__name__)
            raise Refusal(failed, BACKEND, known) from error
        finally:
            for each in futures:
                if each.done() and not each.cancelled():
                    each.exception()
                each.cancel()
            gone.cancel()


def _refuse_long(served: Served, answers: Sequence[Answer], status: int) -> None:
    cut = [n for n, each in enumerate(answers) if each.truncated]
    if cut:
        message = f"inputs must have at most {served.facts.limit} tokens; too long: {cut[:10]}"
        raise Refusal(status, VALIDATION, message)


async def _gone(request: Request) -> None:
    """Return when the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _plain(value: Any) -> Any:
    """Return a value of a task's own prediction in a form that JSON has."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
