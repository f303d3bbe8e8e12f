"""Predict the missing parts of a table with Ray: the actors read, predict and write whole parts.

Parts and counts travel through Ray, rows and predictions do not. What is complete on disk stays, so a
lost actor, machine or driver costs the parts that were in work.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from clx import __version__
from clx.errors import ClxWarning, DataFormatError, PluginError, RunDirError
from clx.ml.batch.causes import is_about_data
from clx.ml.batch.guard import PlanGuard
from clx.ml.batch.inputs import current_fingerprint
from clx.ml.batch.job import PartsJob, PartsWorker
from clx.ml.batch.plan import Part
from clx.ml.batch.ray_cluster import connected, import_ray, nodes_of, workers_for
from clx.ml.batch.ray_dispatch import Dispatch
from clx.ml.batch.records import Failure, Record
from clx.ml.machine.progress import progress_bar
from clx.ml.machine.termination import noticing_sigterm
from clx_runtime.callers import user_level
from clx_runtime.cpus import given_cpus
from clx_runtime.row_texts import texts_of_columns


@dataclass(frozen=True)
class RayOptions:
    """Where and with how many workers to predict.

    Attributes:
        address: the address of a cluster; None for ``RAY_ADDRESS``, else for one on this machine that
            is stopped at the end.
        workers: the number of workers; None for one per CPU, or per share of a GPU.
        gpus_per_worker: how many GPUs each worker reserves.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float = 0.0


def predict_on_ray(
    job: PartsJob, parts: Sequence[Part], options: RayOptions
) -> tuple[list[Record], dict[Part, Failure]]:
    """Predict missing parts, with a progress bar. If a part fails, the remaining parts continue.

    Args:
        job: the job.
        parts: the parts to do, in order.
        options: the cluster and the workers.

    Returns:
        the records of the parts that were predicted now, and the failures.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: a number is out of range, or no machine has the GPUs.
        ClxError: there is no cluster, no machine can read the run or the inputs, workers die without
            having finished a part, or another prediction began in the folder.
        SystemExit: SIGTERM arrived; the status is 143. Finished parts stay.
    """
    ray = import_ray()
    records = job.records()
    missing = records.missing(parts)
    if not missing:
        return [], {}
    done: list[Record] = []
    failed: dict[Part, Failure] = {}
    guard = PlanGuard(job)
    cpus = max(given_cpus(_limits_of_job()), options.workers or 1)
    with noticing_sigterm() as check, connected(ray, options.address, cpus):

        def stopping() -> None:
            check()
            guard()

        workers = workers_for(nodes_of(ray), options.workers, options.gpus_per_worker)
        dispatch: Dispatch[Part, Record] = Dispatch(
            ray, Start(job), workers, stopping, is_final=is_about_data
        )
        rows = sum(part.rows for part in parts)
        with progress_bar(desc="predict", unit="rows", delay=1, total=rows) as bar:
            bar.update(rows - sum(part.rows for part in missing))
            for outcome in dispatch.outcomes(missing):
                part = outcome.work
                if outcome.result is not None:
                    done.append(outcome.result)
                else:
                    failed[part] = Failure(
                        str(part), outcome.cause or "", outcome.attempts, outcome.where
                    )
                    records.fail(part, failed[part])
                told = {"workers lost": dispatch.lost, "parts failed": len(failed)}
                bar.set_postfix({k: v for k, v in told.items() if v}, refresh=False)
                bar.update(part.rows)
    _warn_of_lost(dispatch.lost)
    return done, failed


@dataclass(frozen=True)
class Start:
    """What a worker of Ray calls first. It can be pickled.

    Attributes:
        job: the job.
        version: the version of clx that planned the parts.
    """

    job: PartsJob
    version: str = __version__

    def __call__(self) -> PartsWorker:
        """Load the run, and return what predicts the parts.

        Raises:
            ClxError: this machine cannot read the run or the inputs, or has another folder of parts or
                another version of clx.
        """
        job, predictor = self.job, self.job.predictor
        if self.version != __version__:
            raise PluginError(
                f"clx-core has version {__version__} here, but {self.version} at the command"
            )
        worker = job.worker()
        given = job.inputs[0]
        if current_fingerprint(given) != given.fingerprint:
            raise DataFormatError(f"{given.name} differs from the file that the command found")
        if job.records().plan() != job.plan:
            raise RunDirError(
                f"The folder {job.directory} is not the folder that the command writes to"
            )
        # Loads the model here, so that a failure does not count against a part.
        predictor.predicted(texts_of_columns({name: ["a"] for name in predictor.text_columns}))
        return worker


def _limits_of_job() -> dict[str, str]:
    """Return the variables that limit a job, without OpenMP's, which limits a single process."""
    return {name: value for name, value in os.environ.items() if name.startswith("SLURM_")}


def _warn_of_lost(lost: int) -> None:
    if lost:
        what = "1 worker was" if lost == 1 else f"{lost} workers were"
        warnings.warn(
            f"{what} lost and replaced, and the unfinished work was repeated.",
            ClxWarning,
            stacklevel=user_level(),
        )
