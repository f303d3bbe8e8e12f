"""The state of a run besides its options, in one place."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clx.settings import runs_dir

if TYPE_CHECKING:
    from clx.ml.evaluate_metrics import ExtraMetric
    from clx.ml.run_directory.layout import RunDir


@dataclass
class State:
    """The private state of a run.

    Attributes:
        place: the run directory, which may not exist yet.
        made_with: the options that the run was made with. Data or a saved config may change the
            attributes afterwards.
        given: the names of the options that the caller gave.
        extra: entries of the config that are not options of the installed task.
        adopted: whether the options are those of the trained run in ``place``.
        stored_device: whether the device comes from the config, which may be from another machine.
        from_base: whether a training or data check, which uses the base model, is in progress.
        start: the trained run that a training in progress continues.
        metric_sources: the metrics as the caller gave them; a config cannot hold objects.
        metrics: the loaded metrics; None until they are needed.
        untuned: what ``made_with`` was before a tuning, so that another call of ``tune`` goes on; None
            before a tuning.
        notes: entries that the next training adds to its results.
    """

    place: Path
    made_with: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)
    adopted: bool = False
    stored_device: bool = False
    from_base: bool = False
    start: RunDir | None = None
    metric_sources: tuple[Any, ...] = ()
    metrics: list[ExtraMetric] | None = None
    untuned: Mapping[str, Any] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


def default_name(task: str) -> str:
    """Return a name for a run without one, made of the task and the time."""
    return time.strftime(f"{task}-%Y%m%d-%H%M%S")


def parent_folder(given: Any) -> Any:
    """Return the folder of run directories as a Path; other values are returned unchanged."""
    if given is None:
        return runs_dir()
    return Path(given).expanduser().absolute() if isinstance(given, str | os.PathLike) else given


def metric_name(metric: Any) -> str:
    """Return the name of a metric in the config: its own, or its class's name."""
    if isinstance(metric, str):
        return metric
    name = getattr(metric, "name", None)
    return name if isinstance(name, str) else type(metric).__name__
