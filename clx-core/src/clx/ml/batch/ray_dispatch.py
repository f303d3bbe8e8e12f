"""Hand pieces of work to Ray actors, one at a time, and repeat the pieces of lost actors.

An actor that dies is not restarted by Ray but replaced here: a new one is asked whether it is ready
before it gets work, so that a piece is only ever charged with a death that happened while an actor
had it.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clx.errors import ClxError, ClxWarning
from clx.ml.batch.ray_cluster import Workers
from clx_runtime.callers import user_level

ATTEMPTS = 3
"""How often a piece is tried before it counts as failed."""

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""The seconds without a started worker after which a warning says what the workers wait for."""

Work = TypeVar("Work", bound=Hashable)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Work, Result]):
    """A piece of work that is finished, or has failed.

    Attributes:
        work: the piece.
        result: what the actor returned; None for a failure.
        cause: why it failed, None if it did not.
        attempts: how often it was tried.
        where: the machine and process that tried it last.
    """

    work: Work
    result: Result | None
    cause: str | None
    attempts: int
    where: str


class Worker(Generic[Work, Result]):
    """The class of the actors: makes its function once, then applies it to each piece.

    Args:
        make: returns the function; it may take long, and raises a ClxError if this machine cannot do
            the work.
    """

    def __init__(self, make: Callable[[], Callable[[Work], Result]]) -> None:
        self._make = make
        self._do: Callable[[Work], Result] | None = None

    def ready(self) -> tuple[str, str | None]:
        """Make the function; return machine and process, and what is wrong, None if nothing is."""
        machine, problem = _address(), None
        try:
            self._do = self._make()
        except ClxError as error:
            problem = f"On the machine {machine}: {error}"
        return f"{machine}:{os.getpid()}", problem

    def do(self, work: Work) -> Result:
        """Apply the function to a piece."""
        assert self._do is not None, "ready() comes first"
        return self._do(work)


def _address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())


@dataclass(eq=False)
class _Running(Generic[Work]):
    """An actor, its current piece (None while it starts), and its machine and process."""

    actor: Any
    work: Work | None = None
    where: str = ""


@dataclass
class Dispatch(Generic[Work, Result]):
    """The pieces of one call and the actors that do them. Use :meth:`outcomes` once.

    Args:
        ray: the imported package, connected.
        make: what each actor calls first; see :class:`Worker`.
        workers: how many actors, and what each reserves.
        stopping: called about once a second; raises to stop.
        is_final: says about an error that trying again cannot help.
        attempts: how often a piece is tried before it counts as failed.

    Attributes:
        lost: how many actors died and were replaced.
    """

    ray: Any
    make: Callable[[], Callable[[Work], Result]]
    workers: Workers
    stopping: Callable[[], None] = lambda: None
    is_final: Callable[[Exception], bool] = lambda error: False
    attempts: int = ATTEMPTS
    lost: int = 0
    _queue: deque[Work] = field(default_factory=deque)
    _attempts: Counter[Work] = field(default_factory=Counter)
    _running: dict[Any, _Running[Work]] = field(default_factory=dict)
    _idle: list[_Running[Work]] = field(default_factory=list)
    _unusable: dict[Any, str] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _lost_in_a_row: int = 0

    def outcomes(self, work: Iterable[Work]) -> Iterator[Outcome[Work, Result]]:
        """Yield each piece when it is finished or has failed, in the order in which that happens.

        All actors are stopped at the end, and when the caller stops early.

        Raises:
            ClxError: no machine can do the work, or actors die without having finished anything.
        """
        self._queue.extend(work)
        remote = self.ray.remote(Worker).options(
            num_cpus=self.workers.cpus,
            num_gpus=self.workers.gpus,
            max_restarts=0,
            max_task_retries=0,
        )
        try:
            for _ in range(min(self.workers.count, len(self._queue))):
                self._start(remote)
            while self._running and self._unfinished():
                for reference in self._finished():
                    yield from self._settle(self._running.pop(reference), reference, remote)
                if self._idle:
                    self._warn_of_machines()
                self._hand_out()
            if self._queue:
                raise ClxError("\n".join(sorted(set(self._unusable.values()))))
        finally:
            for actor in self._actors():
                self.ray.kill(actor, no_restart=True)

    def _actors(self) -> list[Any]:
        known = (*self._running.values(), *self._idle)
        return [*(each.actor for each in known), *self._unusable]

    def _unfinished(self) -> bool:
        return bool(self._queue) or any(each.work is not None for each in self._running.values())

    def _start(self, remote: Any) -> None:
        actor = remote.remote(self.make)
        self._running[actor.ready.remote()] = _Running(actor)

    def _hand_out(self) -> None:
        """Give the next pieces to the actors without one."""
        while self._queue and self._idle:
            running, work = self._idle.pop(), self._queue.popleft()
            self._attempts[work] += 1
            reference = running.actor.do.remote(work)
            self._running[reference] = _Running(running.actor, work, running.where)

    def _finished(self) -> list[Any]:
        """Wait until a call of an actor ends, and return the calls that did."""
        began, told = time.monotonic(), False
        while True:
            self.stopping()
            done, _ = self.ray.wait(list(self._running), timeout=POLL_SECONDS)
            if done:
                return list(done)
            waits = all(each.work is None for each in self._running.values())
            if waits and not told and time.monotonic() - began > PATIENCE_SECONDS:
                told = True
                self._warn_of_waiting()

    def _settle(
        self, running: _Running[Work], reference: Any, remote: Any
    ) -> Iterator[Outcome[Work, Result]]:
        """Look at what an actor returned, and yield the outcome of its piece if it has one."""
        from ray.exceptions import RayError, RayTaskError

        try:
            value = self.ray.get(reference)
        except RayTaskError as error:
            if running.work is None:
                raise ClxError(f"A worker cannot start: {error}") from error
            self._idle.append(running)
            yield from self._failed(running, cause_of(error.cause), self.is_final(error.cause))
        except RayError as error:
            self._renew(running.actor, error, remote)
            if running.work is not None:
                yield from self._failed(running, f"its worker was lost: {_first_line(error)}")
        else:
            yield from self._succeeded(running, value)

    def _succeeded(self, running: _Running[Work], value: Any) -> Iterator[Outcome[Work, Result]]:
        """Take an actor that is ready, or has done its piece."""
        work = running.work
        if work is not None:
            self._lost_in_a_row = 0
            yield Outcome(work, value, None, self._attempts[work], running.where)
        else:
            running.where, problem = value
            if problem is not None:
                # The actor stays, because Ray would start the next one in its place.
                self._unusable[running.actor] = problem
                return
        self._idle.append(running)

    def _failed(
        self, running: _Running[Work], cause: str, is_final: bool = False
    ) -> Iterator[Outcome[Work, Result]]:
        """Put a piece back at the end, or yield it as failed."""
        work = running.work
        assert work is not None, "an actor that starts has no piece"
        tried = self._attempts[work]
        if tried < self.attempts and not is_final:
            self._queue.append(work)
        else:
            yield Outcome(work, None, cause, tried, running.where)

    def _renew(self, actor: Any, error: Exception, remote: Any) -> None:
        """Start an actor in place of a lost one."""
        # It may be alive but out of reach.
        self.ray.kill(actor, no_restart=True)
        self.lost += 1
        self._lost_in_a_row += 1
        if self._lost_in_a_row > self.attempts * (self.workers.count + 1):
            raise ClxError(
                f"The last {self._lost_in_a_row} workers died, and none finished anything: "
                f"{_first_line(error)} The usual cause is too little memory: start fewer workers."
            ) from error
        self._start(remote)

    def _warn_of_machines(self) -> None:
        """Warn of the machines that cannot do the work while others can."""
        for problem in sorted(set(self._unusable.values()) - self._told):
            self._told.add(problem)
            warnings.warn(problem, ClxWarning, stacklevel=user_level())

    def _warn_of_waiting(self) -> None:
        wanted, free = self.workers, self.ray.available_resources()
        warnings.warn(
            f"No worker has started for {PATIENCE_SECONDS:.0f} seconds. Each needs {wanted.cpus} CPUs "
            f"and {wanted.gpus:g} GPUs, and the cluster has {free.get('CPU', 0):g} CPUs and "
            f"{free.get('GPU', 0):g} GPUs free. If that is enough, the workers "
            f"are still loading the model.",
            ClxWarning,
            stacklevel=user_level(),
        )


def cause_of(error: Exception) -> str:
    """Return an error as the cause of a failure."""
    return str(error) if isinstance(error, ClxError) else f"{type(error).__name__}: {error}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
