"""Batches of waiting texts, in the order of their arrival.

A text waits only while the worker is busy. A free worker takes the texts that wait, up to a budget of
tokens, without those whose client is gone.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clx_runtime.server.limits import Limits
from clx_runtime.server.metrics import Metrics
from clx_runtime.server.refusals import unavailable
from clx_runtime.server.served import Computed, Needs, Served

if TYPE_CHECKING:
    import numpy as np

_CHARACTERS_PER_TOKEN = 4
_SPECIAL_TOKENS = 2


@dataclass(frozen=True)
class Answer:
    """The result for one text.

    Attributes:
        logits: shape (labels,); None if it was not needed.
        prediction: what the run predicts; None if it was not needed.
        truncated: whether the text was truncated.
        tokens: how many tokens the model read.
        queued: how many seconds the text waited.
    """

    logits: np.ndarray[Any, Any] | None
    prediction: Any
    truncated: bool
    tokens: int
    queued: float


@dataclass(frozen=True)
class _Entry:
    text: str
    needs: Needs
    tokens: int
    arrived: float
    answer: asyncio.Future[Answer]


class Batcher:
    """The queue and the worker of one loaded run.

    Args:
        served: the run.
        limits: the limits of the server.
        metrics: the metrics to record.
    """

    def __init__(self, served: Served, limits: Limits, metrics: Metrics) -> None:
        self.served, self._limits, self._metrics = served, limits, metrics
        self._budget = limits.tokens(served.facts.device)
        self._queue: deque[_Entry] = deque()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="clx-serve")
        self._busy = self._closing = False

    def submit(self, texts: Sequence[str], needs: Needs) -> list[asyncio.Future[Answer]]:
        """Put texts into the queue, and return the results to come; cancel them to drop the texts."""
        loop, now = asyncio.get_running_loop(), time.monotonic()
        entries = [
            _Entry(text, needs, self._estimate(text), now, loop.create_future()) for text in texts
        ]
        self._queue.extend(entries)
        # All requests that the loop has read by now take part in the next batch.
        loop.call_soon(self._start)
        return [entry.answer for entry in entries]

    def waiting(self) -> int:
        """Return the number of texts in the queue."""
        return len(self._queue)

    def close(self) -> None:
        """Stop after the texts that are waiting."""
        self._closing = True
        self._start()

    def _estimate(self, text: str) -> int:
        """Return the approximate number of tokens of a text: counting them would tokenize it twice."""
        tokens = len(text) // _CHARACTERS_PER_TOKEN + _SPECIAL_TOKENS
        return tokens if self.served.facts.limit is None else min(tokens, self.served.facts.limit)

    def _start(self) -> None:
        """Start the worker on the next batch if it is free."""
        if self._busy:
            return
        batch = self._next()
        if batch:
            self._busy = True
            loop = asyncio.get_running_loop()
            self._metrics.batch(len(batch), sum(entry.tokens for entry in batch))
            done = loop.run_in_executor(self._worker, self._compute, batch)
            done.add_done_callback(lambda found: self._finish(batch, found))
        elif self._closing:
            self._worker.shutdown(wait=False)

    def _next(self) -> list[_Entry]:
        """Take the next texts from the queue, up to the budget."""
        batch: list[_Entry] = []
        tokens, oldest = 0, time.monotonic() - self._limits.queue_seconds
        while self._queue:
            entry = self._queue[0]
            if batch and tokens + entry.tokens > self._budget:
                break
            self._queue.popleft()
            if entry.answer.done():
                continue
            if entry.arrived < oldest:
                message = f"A text waited for {self._limits.queue_seconds:g} seconds: try again"
                entry.answer.set_exception(unavailable(message))
                continue
            batch.append(entry)
            tokens += entry.tokens
        self._metrics.queue(self.served.facts.name, len(self._queue))
        return batch

    def _compute(self, batch: list[_Entry]) -> list[Answer | Exception]:
        """Return the results of a batch, in the worker's thread."""
        started = time.monotonic()
        try:
            answers = self._answers(batch, started)
        except Exception as error:
            # One text must not fail the texts of other clients.
            if len(batch) == 1:
                return [error]
            return [answer for entry in batch for answer in self._compute([entry])]
        self._metrics.inference(time.monotonic() - started)
        return list(answers)

    def _answers(self, batch: list[_Entry], started: float) -> list[Answer]:
        needs = Needs(
            any(entry.needs.logits for entry in batch),
            any(entry.needs.prediction for entry in batch),
        )
        found: Computed = self.served.compute([entry.text for entry in batch], needs)
        return [
            Answer(
                None if found.logits is None else found.logits[row],
                None if found.predictions is None else found.predictions[row],
                found.truncated[row],
                found.tokens[row],
                started - entry.arrived,
            )
            for row, entry in enumerate(batch)
        ]

    def _finish(self, batch: list[_Entry], found: asyncio.Future[list[Answer | Exception]]) -> None:
        """Hand out the results of a batch, and start the next one."""
        self._busy = False
        self._start()
        error = None if found.cancelled() else found.exception()
        if found.cancelled() or error is not None:
            answers: list[Any] = [error or RuntimeError("the worker stopped")] * len(batch)
        else:
            answers = list(found.result())
        for entry, answer in zip(batch, answers, strict=True):
            if entry.answer.done():
                continue
            if isinstance(answer, Answer):
                entry.answer.set_result(answer)
            else:
                entry.answer.set_exception(answer)
