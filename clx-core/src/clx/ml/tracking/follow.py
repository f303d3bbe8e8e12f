"""Log one training to its trackers; a tracker that fails never stops the training."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.errors import ClxError, ClxWarning
from clx.ml.machine.distributed import is_main_process
from clx.ml.run_directory.config import raise_config_problems
from clx.ml.run_directory.files import write_json
from clx.ml.run_directory.layout import LOGS, RunDir
from clx.ml.task.option_checks import report_to
from clx.ml.task.reporting import name_problems, require_packages, settled, trackers_of
from clx.ml.tracking.parameters import parameters, requirements
from clx.ml.tracking.trackers import (
    FAILED,
    FINISHED,
    KILLED,
    Beginning,
    Tracker,
    make_tracker,
)
from clx.ml.training.following import FOLLOWED
from clx_runtime.callers import user_level
from clx_runtime.files import read_json

if TYPE_CHECKING:
    from clx.ml.results.outcome import TrainingResult
    from clx.ml.task.task import Task
    from clx.ml.training.train import Request

_PASSWORD = re.compile(r"://[^/@\s]*@")
"""The user and password in an address, which the message of a tracker may contain."""


@contextlib.contextmanager
def followed(task: Task, made_with: Mapping[str, Any], request: Request) -> Iterator[Request]:
    """Log the training in the block to the trackers of ``report_to``; yield the request to train.

    When the block ends, the trackers get the files of the published run, and their runs end as the
    training did.

    Args:
        task: the task, with the options of this training.
        made_with: the options that the run was made with.
        request: the arguments of ``train``.

    Raises:
        ConfigError: there is no such tracker.
        MissingDependencyError: a tracker has no package.
    """
    _check(task)
    call = {} if request.fine_tune else {"fine_tune": False}
    if request.time_budget is not None:
        call["time_budget"] = request.time_budget
    follower = Trackers(
        Beginning(
            task.run_name,
            parameters(task, made_with, call),
            Path(),
            requirements=requirements(task),
        )
    )
    try:
        yield replace(request, follower=follower)
    except BaseException as error:
        follower.end(FAILED if isinstance(error, Exception) else KILLED)
        raise
    follower.publish()
    follower.end(FINISHED)


def _check(task: Task) -> None:
    """Check the trackers again: a saved run may name some that this machine lacks."""
    entry = task.training_args.get("report_to") if isinstance(task.training_args, dict) else None
    problems = report_to(task, "report_to")
    reporters = () if problems else settled(task.report_to, entry)
    problems += name_problems(reporters)
    raise_config_problems(problems, f"The training of {task.run_name!r}")
    require_packages(reporters)


class Trackers:
    """The trackers of one training: the follower of :mod:`clx.ml.training.following`.

    Only the main process has any. A tracker that fails is left out of the steps that follow, gets one
    more chance at the end of the training, and never stops it.

    Args:
        beginning: what is known about the training before it begins.
    """

    def __init__(self, beginning: Beginning) -> None:
        self.places: dict[str, dict[str, Any]] = {}
        self._beginning = beginning
        self._begun: dict[str, Tracker] = {}
        self._failed: set[str] = set()
        self._result: TrainingResult | None = None

    def begin(
        self, reporters: Sequence[str], work_dir: Path, resume_from: Path | None
    ) -> list[Any]:
        """Start the trackers' runs, and return the callback that logs the Trainer's numbers."""
        names = trackers_of(reporters) if is_main_process() else ()
        if not names:
            return []
        from clx.ml.run_directory.marks import step_of

        earlier = _earlier(work_dir / FOLLOWED)
        step = 0 if resume_from is None else step_of(resume_from)
        for name in names:
            with self._guarded(name, "starting"):
                tracker = self._begun[name] = make_tracker(name)
                known = earlier.get(name)
                known = known if isinstance(known, dict) else {}
                self.places[name] = tracker.begin(
                    replace(self._beginning, folder=work_dir / LOGS, step=step, earlier=known)
                )
        for name in self._failed:
            # A tracker without a run cannot log anything later.
            self._end_one(name, FAILED)
            self.places.pop(name, None)
        self._failed.clear()
        write_json(work_dir / FOLLOWED, self.places)
        return [log_callback(self._log)]

    def evaluated(self, result: TrainingResult) -> None:
        """Log the metrics of the model that is published next."""
        self._result = result
        self._failed.clear()
        numbers = numbers_of(result.metrics)
        for name, tracker in self._active():
            with self._guarded(name, "logging the final metrics"):
                tracker.conclude(result.steps, numbers)

    def publish(self) -> None:
        """Log the files of the published run."""
        result = self._result
        for name, tracker in self._active() if result is not None else ():
            with self._guarded(name, "logging the files of the run"):
                assert result is not None
                tracker.publish(RunDir(result.run_dir))

    def end(self, status: str) -> None:
        """End the trackers' runs."""
        for name in list(self._begun):
            self._end_one(name, status)

    def _end_one(self, name: str, status: str) -> None:
        tracker = self._begun.pop(name, None)
        if tracker is None:
            return
        if name in self._failed:
            # It has been reported once.
            with contextlib.suppress(Exception):
                tracker.end(status)
        else:
            with self._guarded(name, "ending"):
                tracker.end(status)

    def _active(self) -> list[tuple[str, Tracker]]:
        return [(name, each) for name, each in self._begun.items() if name not in self._failed]

    def _log(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, tracker in self._active():
            with self._guarded(name, f"logging step {step}"):
                tracker.log(step, numbers)

    @contextlib.contextmanager
    def _guarded(self, name: str, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._failed.add(name)
            said = _PASSWORD.sub("://", " ".join(str(error).split())) or type(error).__name__
            warnings.warn(
                f"The tracker {name} failed while {doing}: {said[:500]}. The training "
                f"continues without it.",
                ClxWarning,
                stacklevel=user_level(),
            )


def _earlier(path: Path) -> Mapping[str, Any]:
    """Return where an interrupted training was logged, ``{}`` for a new one."""
    try:
        return read_json(path) if path.is_file() else {}
    except ClxError:
        return {}


def numbers_of(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are finite numbers, as Python's; trackers disagree about others."""
    found = {}
    for name, value in values.items():
        number = (
            value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else value
        )
        if isinstance(number, int | float) and math.isfinite(number):
            found[name] = float(number)
    return found


def log_callback(log: Any) -> Any:
    """Return the callback that passes the Trainer's numbers to ``log(step, numbers)``."""
    from transformers import TrainerCallback

    class LogNumbers(TrainerCallback):  # type: ignore[misc]
        """Pass on what the Trainer logs."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            """Pass on the numbers, in the main process."""
            numbers = numbers_of(logs or {})
            if state.is_world_process_zero and numbers:
                log(state.global_step, numbers)

    return LogNumbers()
