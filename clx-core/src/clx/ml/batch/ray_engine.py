"""Predict the missing parts of a table with Ray: the actors read, predict and write whole parts.

Parts and counts travel through Ray, rows and predictions do not. What is complete on disk stays, so a
lost actor, machine or driver costs the parts that were in work.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from clx.errors import ClxWarning
from clx.ml.batch.ray_cluster import connected, import_ray, nodes_of, workers_for
from clx.ml.batch.ray_dispatch import Dispatch, Outcome
from clx.ml.machine.callers import user_level
from clx.ml.machine.cpus import given_cpus
from clx.ml.machine.termination import noticing_sigterm


class Part(Hashable, Protocol):
    """A range of rows of one file."""

    @property
    def rows(self) -> int:
        """The number of rows."""


P = TypeVar("P", bound=Part)
Done = TypeVar("Done")


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
    parts: Sequence[P], make: Callable[[], Callable[[P], Done]], options: RayOptions
) -> list[Outcome[P, Done]]:
    """Predict parts, each by one worker at a time, behind a progress bar.

    A part whose worker fails or dies is tried again, three times in all; then the others go on.

    Args:
        parts: the parts that are missing.
        make: is called once in each worker, and returns the function that predicts a part. It raises
            a ClxError if the machine of the worker cannot read the run or the source.
        options: the cluster and the workers.

    Returns:
        The outcomes, in the order in which they came; a failed one has a ``cause``.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: a number is out of range, or no machine has the GPUs.
        ClxError: there is no cluster, no machine can read the run or the source, or workers die
            without having finished a part.
        SystemExit: SIGTERM arrived; the status is 143.
    """
    ray = import_ray()
    if not parts:
        return []
    cpus = max(given_cpus(_limits()), options.workers or 1)
    with noticing_sigterm() as check, connected(ray, options.address, cpus):
        workers = workers_for(nodes_of(ray), options.workers, options.gpus_per_worker)
        dispatch: Dispatch[P, Done] = Dispatch(ray, make, workers, check)
        outcomes = _with_bar(dispatch, parts)
    if dispatch.lost:
        what = "1 worker was" if dispatch.lost == 1 else f"{dispatch.lost} workers were"
        warnings.warn(
            f"{what} lost and replaced, and what was in work was done again.",
            ClxWarning,
            stacklevel=user_level(),
        )
    return outcomes


def _limits() -> dict[str, str]:
    """Return the variables that limit a job; that of OpenMP limits one process of it."""
    return {name: value for name, value in os.environ.items() if name.startswith("SLURM_")}


def _with_bar(dispatch: Dispatch[P, Any], parts: Sequence[P]) -> list[Outcome[P, Any]]:
    from tqdm.auto import tqdm

    outcomes = []
    with tqdm(desc="predict", unit="rows", delay=1, total=sum(each.rows for each in parts)) as bar:
        for outcome in dispatch.outcomes(parts):
            outcomes.append(outcome)
            if dispatch.lost:
                bar.set_postfix_str(f"lost workers: {dispatch.lost}", refresh=False)
            bar.update(outcome.work.rows)
    return outcomes
