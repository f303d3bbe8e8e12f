"""What a run knows beside its options, in one place."""

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


@dataclass
class State:
    """Everything that a run keeps for itself.

    Attributes:
        place: where the run is, or will be.
        made_with: the options that the run was made with; data and disk may change the attributes.
        given: the names of the options that the caller gave.
        extra: entries of the config that are not options of today's task.
        adopted: whether the options are those of the trained run in ``place``.
        stored_device: whether the device comes from the config, which another machine may have
            written.
        from_base: whether tokenizer and data are those of a training, which begins at the base model.
        metric_sources: the metrics as the caller gave them; a config cannot hold objects.
        metrics: the same, loaded; None until they are needed.
    """

    place: Path
    made_with: Mapping[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)
    adopted: bool = False
    stored_device: bool = False
    from_base: bool = False
    metric_sources: tuple[Any, ...] = ()
    metrics: list[ExtraMetric] | None = None


def default_name(task: str) -> str:
    """Return the name of a run whose caller gave none: task and time."""
    return time.strftime(f"{task}-%Y%m%d-%H%M%S")


def parent_folder(given: Any) -> Any:
    """Return the folder of run directories as a Path; what is not a path is returned as it is."""
    if given is None:
        return runs_dir()
    return Path(given).expanduser().absolute() if isinstance(given, str | os.PathLike) else given


def metric_name(metric: Any) -> str:
    """Return what the config calls a metric: its name, or its class's."""
    if isinstance(metric, str):
        return metric
    name = getattr(metric, "name", None)
    return name if isinstance(name, str) else type(metric).__name__
