"""A trained run as any process can open it, and the runs that this process has opened."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.errors import ConfigError, NotTrainedError, RunDirError
from clx.ml.run_directory.hub_address import is_address
from clx.ml.run_directory.layout import RunDir
from clx.ml.task.task import Task
from clx.problems import cell
from clx_runtime.forks import renew_after_fork

MOST_RUNS = 4
"""The number of opened runs that a process keeps: engines send a callable anew for each part."""


@dataclass(frozen=True)
class RunReference:
    """A trained run, and how to open it in any process.

    Attributes:
        path: the run directory, or its address on the Hub.
        identity: the identity of its content.
        make: opens the run with the arguments, and raises if its content has changed.
        arguments: the arguments of ``make``.
    """

    path: str
    identity: str
    make: Callable[..., Any]
    arguments: tuple[Any, ...]

    def key(self) -> str:
        """Return the same text for references that open equal runs."""
        return repr((self.identity, self.arguments))


def reference_to(run: Any, opener: Callable[..., Any] | None) -> RunReference:
    """Return a reference to a trained run.

    Args:
        run: a run, or what ``opener`` opens: a path, a name, or an address on the Hub.
        opener: opens a saved run, as ``training_run(load=...)`` does.

    Raises:
        ConfigError: it is neither a run nor a path.
        NotTrainedError: the run is not trained.
        RunNotFoundError: there is no such run.
        RunDirError: the directory is damaged, or holds another run than the one that was opened.
    """
    if not isinstance(run, Task | str | Path) or (not isinstance(run, Task) and opener is None):
        raise ConfigError(f"run must be a run, or the path of one, but is {cell(run)}")
    if isinstance(run, Task):
        opened: Any = run
    else:
        assert opener is not None
        opened = opener(load=run)
        if is_address(run):
            identity = RunDir(opened.run_dir).identity()
            return RunReference(str(run), identity, _opened_at, (opener, str(run), identity))
    if not opened.is_trained:
        raise NotTrainedError(
            f"The run {opened.run_name!r} is not trained ({opened.run_dir}). Train it before other "
            f"processes predict with it."
        )
    make, arguments = opened.__reduce__()
    # Raises if the directory now holds another run.
    make(*arguments)
    directory = RunDir(opened.run_dir)
    return RunReference(str(directory.path), directory.identity(), make, arguments)


def _opened_at(opener: Callable[..., Any], address: str, identity: str) -> Any:
    run = opener(load=address)
    if RunDir(run.run_dir).identity() != identity:
        raise RunDirError(
            f"The run at {address} was published again since the job began. "
            f"Name a revision ({address}@REVISION), and start the job again."
        )
    return run


class _OpenedRuns:
    """The runs that were used most recently. Their weights are loaded when they first predict."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: OrderedDict[str, Any] = OrderedDict()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock, which another thread may have held."""
        self._lock = threading.RLock()

    def get(self, reference: RunReference) -> Any:
        key = reference.key()
        with self._lock:
            if key not in self._runs:
                self._runs[key] = reference.make(*reference.arguments)
            self._runs.move_to_end(key)
            while len(self._runs) > MOST_RUNS:
                self._runs.popitem(last=False)
            return self._runs[key]


_OPENED = _OpenedRuns()


def opened_run(reference: RunReference) -> Any:
    """Return the run of a reference, opened once per process.

    Raises:
        RunNotFoundError: the directory is not on this machine.
        RunDirError: the content has changed since the reference was made.
    """
    return _OPENED.get(reference)
