"""MLflow: a run in the store and the experiment that MLflow is set to, with the model as a pyfunc."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from clx.ml.run_directory.layout import CHECKPOINTS, LOGS, OUR_NAMES, RunDir
from clx.ml.tracking.trackers import ARTIFACTS, FINAL, Beginning

MODEL = "model"
LOADER = "clx.mlflow"
"""The module that opens the logged directory, so that no pickle is written."""

MAX_VALUE = 500
"""The longest parameter value that servers of all versions accept."""

BATCH = 100
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""By default, MLflow tries for many minutes to reach a server, and the training would wait."""

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z_\-. :/]")


class MlflowRun:
    """Logs to the caller's run if one is active, else to one of its own, which it ends."""

    def __init__(self) -> None:
        self._client: Any = None
        self._run_id = ""
        self._owned = False
        self._requirements: tuple[str, ...] = ()

    def begin(self, beginning: Beginning) -> dict[str, Any]:
        """Start a run, or continue the run of an interrupted training."""
        import mlflow
        from mlflow.entities import Param

        self._requirements = beginning.requirements
        with patience():
            active = mlflow.active_run()
            self._owned = active is None
            run = active or _start(mlflow, beginning)
            self._run_id, self._client = run.info.run_id, mlflow.MlflowClient()
            # MLflow refuses another value for a parameter, so the first training of a run counts.
            known = run.data.params
            params = [
                Param(_NOT_IN_NAMES.sub("_", name), str(value)[:MAX_VALUE])
                for name, value in beginning.parameters.items()
                if _NOT_IN_NAMES.sub("_", name) not in known
            ]
            for start in range(0, len(params), BATCH):
                self._client.log_batch(self._run_id, params=params[start : start + BATCH])
        return _place(mlflow.get_tracking_uri(), run.info)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log numbers under the Trainer's names, as transformers does."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(_NOT_IN_NAMES.sub("_", name), number, now, step)
            for name, number in numbers.items()
        ]
        with patience():
            for start in range(0, len(metrics), BATCH):
                self._client.log_batch(self._run_id, metrics=metrics[start : start + BATCH])

    def conclude(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log the final metrics."""
        self.log(step, {FINAL + name: number for name, number in metrics.items()})

    def publish(self, run: RunDir) -> None:
        """Log report, config and manifest, and the run directory as a model."""
        import mlflow.pyfunc
        from mlflow.models import Model

        for name in ARTIFACTS:
            self._client.log_artifact(self._run_id, str(run.path / name))
        with content_to_log(run) as folder:
            Model.log(
                None,
                flavor=mlflow.pyfunc,
                name=MODEL,
                run_id=self._run_id,
                loader_module=LOADER,
                data_path=str(folder),
                pip_requirements=list(self._requirements),
            )

    def end(self, status: str) -> None:
        """End the run with its status, unless it is the caller's."""
        if not self._run_id or not self._owned:
            return
        import mlflow

        active = mlflow.active_run()
        with patience():
            if active is not None and active.info.run_id == self._run_id:
                mlflow.end_run(status)
            else:
                self._client.set_terminated(self._run_id, status)


def _start(mlflow: Any, beginning: Beginning) -> Any:
    """Start a run; it is MLflow's active run, so that the user's callbacks can log to it too."""
    known = beginning.earlier.get("run_id")
    if known:
        # It may have been deleted since, or another experiment may be active.
        with contextlib.suppress(mlflow.exceptions.MlflowException):
            return mlflow.start_run(run_id=known, run_name=beginning.run_name)
    return mlflow.start_run(run_name=beginning.run_name)


def _place(uri: str, info: Any) -> dict[str, Any]:
    """Return where a run is, without the user and password that an address may have."""
    parts = urlsplit(uri)
    if parts.netloc:
        uri = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    place = {"run_id": info.run_id, "experiment_id": info.experiment_id, "tracking_uri": uri}
    if parts.scheme in ("http", "https"):
        path = f"#/experiments/{info.experiment_id}/runs/{info.run_id}"
        place["url"] = f"{uri.rstrip('/')}/{path}"
    return place


@contextlib.contextmanager
def content_to_log(run: RunDir) -> Iterator[Path]:
    """Provide a copy of what clx wrote into a run directory, without logs and the user's files."""
    with tempfile.TemporaryDirectory(prefix="clx-mlflow-") as parent:
        folder = Path(parent) / run.path.name
        folder.mkdir()
        for name in sorted(OUR_NAMES - {LOGS, CHECKPOINTS}):
            path = run.path / name
            if path.is_dir():
                shutil.copytree(path, folder / name)
            elif path.is_file():
                shutil.copy2(path, folder / name)
        yield folder


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Let MLflow give up soon if a server does not answer; what the user set stays."""
    ours = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
