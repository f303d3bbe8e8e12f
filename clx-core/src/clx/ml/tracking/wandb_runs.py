"""Weights & Biases: a run in the project that the environment names, else in ``clx``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from clx.ml.run_directory.layout import RunDir
from clx.ml.tracking.trackers import (
    ARTIFACTS,
    FAILED,
    FINAL,
    FINISHED,
    KILLED,
    Beginning,
    by_section,
)

PROJECT = "clx"
STEP = "train/global_step"
EXIT_CODES = {FINISHED: 0, FAILED: 1, KILLED: 255}
MAX_NAME = 128


class WandbRun:
    """Logs to the caller's run if one is active, else to one of its own, which it ends."""

    def __init__(self) -> None:
        self._run: Any = None
        self._owned = False
        self._name = ""

    def begin(self, beginning: Beginning) -> dict[str, Any]:
        """Start a run, or continue the run of an interrupted training."""
        import wandb

        known = beginning.earlier.get("id")
        self._name = beginning.run_name
        self._owned = wandb.run is None
        self._run = wandb.run or wandb.init(
            project=None if os.environ.get("WANDB_PROJECT") else PROJECT,
            name=beginning.run_name,
            id=known,
            resume="allow" if known else None,
        )
        run = self._run
        run.config.update(dict(beginning.parameters), allow_val_change=True)
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP, step_sync=True)
        place = {"id": run.id, "project": run.project, "entity": run.entity, "url": run.url}
        return {name: str(value) for name, value in place.items() if value}

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log numbers at a step."""
        self._run.log({**by_section(numbers), STEP: step})

    def conclude(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the final metrics, which then are in the summary of the run."""
        self._run.log({**{FINAL + name: n for name, n in metrics.items()}, STEP: step})

    def publish(self, run: RunDir) -> None:
        """Log report, config and manifest as an artifact with the name of the run."""
        import wandb

        name = re.sub(r"[^\w.-]", "-", self._name, flags=re.ASCII)[:MAX_NAME]
        artifact = wandb.Artifact(name, type="clx-run")
        for each in ARTIFACTS:
            artifact.add_file(str(run.path / each))
        self._run.log_artifact(artifact)

    def end(self, status: str) -> None:
        """End the run, unless it is the caller's."""
        if self._run is not None and self._owned:
            self._run.finish(exit_code=EXIT_CODES[status])
