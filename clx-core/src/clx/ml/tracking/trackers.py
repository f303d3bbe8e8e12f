"""The interface of trackers, and the trackers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from clx.ml.run_directory.layout import CONFIG, MANIFEST, REPORT, RunDir

FINISHED, FAILED, KILLED = "FINISHED", "FAILED", "KILLED"
"""How a training ended: it was published, it raised an error, or it was interrupted."""

FINAL = "final/"
"""The prefix of the metrics of the published model, in every tracker."""

ARTIFACTS = (REPORT, CONFIG, MANIFEST)
"""The files of a run that are uploaded to trackers that store files."""


@dataclass(frozen=True)
class Beginning:
    """A training that begins.

    Attributes:
        run_name: the name of the run.
        parameters: the options that were set; values are texts, numbers or booleans.
        folder: the folder whose content becomes the run's ``logs``.
        step: the step that a resumed training continues from, 0 for a new one.
        earlier: where the training was logged before it was interrupted, ``{}`` for a new one.
        requirements: the distributions that the run needs, as pip requirements.
    """

    run_name: str
    parameters: Mapping[str, Any]
    folder: Path
    step: int = 0
    earlier: Mapping[str, Any] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()


class Tracker(Protocol):
    """Logs one training. Every method may raise: the training goes on without it."""

    def begin(self, beginning: Beginning) -> dict[str, Any]:
        """Start the tracker's run, or continue the earlier one; return where it is."""

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log what the Trainer logs at a step, under the Trainer's names."""

    def conclude(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of the published model; the run directory is not written yet."""

    def publish(self, run: RunDir) -> None:
        """Log the files of the published run."""

    def end(self, status: str) -> None:
        """End the tracker's run. Called once, even if :meth:`begin` failed."""


_PATHS = {
    "tensorboard": "clx.ml.tracking.tensorboard:TensorBoard",
    "mlflow": "clx.ml.tracking.mlflow_runs:MlflowRun",
    "wandb": "clx.ml.tracking.wandb_runs:WandbRun",
}


def make_tracker(name: str) -> Tracker:
    """Return a tracker by its name in ``report_to``."""
    module, _, attribute = _PATHS[name].partition(":")
    kind: Callable[[], Tracker] = getattr(import_module(module), attribute)
    return kind()


def by_section(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return the Trainer's numbers under the names that transformers gives them in trackers."""
    evaluated = "eval_"
    return {
        f"eval/{name.removeprefix(evaluated)}" if name.startswith(evaluated) else f"train/{name}": n
        for name, n in numbers.items()
    }
