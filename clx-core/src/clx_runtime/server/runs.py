"""The runs of a server: loaded when it starts, and again when they were retrained."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clx_runtime.errors import ClxError, ConfigError
from clx_runtime.problems import names
from clx_runtime.server.batching import Batcher
from clx_runtime.server.limits import Limits
from clx_runtime.server.metrics import Metrics
from clx_runtime.server.refusals import NOT_FOUND, Refusal, unavailable
from clx_runtime.server.served import Needs, Served, Source
from clx_runtime.texts import TextRow

Log = Callable[..., None]
_FIRST = "a text"


@dataclass
class _Slot:
    source: Source
    batcher: Batcher | None = None
    stamp: object = None


class Runs:
    """The runs that a server answers with.

    Args:
        sources: where they come from; the first one answers at the root.
        limits: the limits of the server.
        metrics: the metrics to record.
        log: writes a line of the log.

    Raises:
        ConfigError: two runs have the same name.
    """

    def __init__(
        self, sources: Sequence[Source], limits: Limits, metrics: Metrics, log: Log
    ) -> None:
        self._limits, self._metrics, self._log = limits, metrics, log
        self._slots = {source.name: _Slot(source) for source in sources}
        if len(self._slots) != len(sources) or not sources:
            raise ConfigError(
                f"The runs need different names, because addresses contain them, but they are called "
                f"{names([source.name for source in sources])}"
            )

    def names(self) -> list[str]:
        """Return the names of the runs; the first one answers at the root."""
        return list(self._slots)

    def ready(self) -> bool:
        """Return whether all runs are loaded."""
        return all(slot.batcher is not None for slot in self._slots.values())

    def batcher(self, name: str | None) -> Batcher:
        """Return the current content of a run.

        Args:
            name: the name of the run; None for the first one.

        Raises:
            Refusal: there is no such run, or it is not loaded yet.
        """
        slot = self._slots.get(self.names()[0] if name is None else name)
        if slot is None:
            raise Refusal(404, NOT_FOUND, f"There is no such run, only {names(self._slots)}")
        if slot.batcher is None:
            raise unavailable("The model is being loaded")
        return slot.batcher

    async def load(self) -> None:
        """Load all runs.

        Raises:
            ClxError: a run cannot be served.
        """
        for slot in self._slots.values():
            await self._load(slot)

    async def reload(self, seconds: float) -> None:
        """Load every run again when it changes on disk; check at this interval, in seconds.

        The old content answers the requests that it has accepted. If the new content cannot be loaded,
        the old one stays in use.
        """
        while True:
            await asyncio.sleep(seconds)
            for slot in self._slots.values():
                stamp = slot.source.stamp()
                if stamp in (None, slot.stamp):
                    continue
                try:
                    await self._load(slot)
                except ClxError as error:
                    slot.stamp = stamp
                    self._log("reload_failed", run=slot.source.name, error=str(error))

    async def _load(self, slot: _Slot) -> None:
        stamp = slot.source.stamp()
        served = await asyncio.get_running_loop().run_in_executor(None, _opened, slot.source)
        before, facts = slot.batcher, served.facts
        if before is not None and before.served.facts == facts:
            # An export, or a report: the same answers.
            slot.stamp = stamp
            return
        slot.batcher, slot.stamp = Batcher(served, self._limits, self._metrics), stamp
        self._metrics.loaded(slot.source.name)
        self._log("loaded", run=slot.source.name, identity=facts.identity, backend=facts.backend)
        if before is not None:
            before.close()

    def close(self) -> None:
        """Stop the workers after the texts that are waiting."""
        for slot in self._slots.values():
            if slot.batcher is not None:
                slot.batcher.close()


def _opened(source: Source) -> Served:
    """Return a run that has answered once, so that its first client does not wait for more."""
    served = source.open()
    columns = served.facts.text_columns
    text: Any = _FIRST if len(columns) == 1 else TextRow([_FIRST] * len(columns))
    served.compute([text], Needs(bool(served.facts.labels), True))
    return served
