"""Who predicts the parts: this process, or the workers of Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from clx.errors import ConfigError
from clx.ml.batch.job import PartsJob
from clx.ml.batch.plan import Part
from clx.ml.batch.records import Failure, Record
from clx.problems import cell

ENGINES = ("ray",)

Engine = Callable[[PartsJob, Sequence[Part]], tuple[list[Record], dict[Part, Failure]]]
"""Predicts the missing ones of some parts; returns the records of these, and the failures."""


def engine_of(
    engine: str | None,
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float | None = None,
) -> Engine | None:
    """Return the engine of a name, None for this process.

    Args:
        engine: ``"ray"``, or None.
        address: the address of a cluster.
        workers: the number of workers.
        gpus_per_worker: how many GPUs each worker reserves.

    Raises:
        ConfigError: there is no such engine, or the other arguments are given without one.
        MissingDependencyError: Ray is not installed.
    """
    if engine is None:
        given = {"address": address, "workers": workers, "gpus_per_worker": gpus_per_worker}
        alone = [name for name, value in given.items() if value is not None]
        if alone:
            raise ConfigError(f"{' and '.join(alone)}: only with engine='ray'")
        return None
    if engine not in ENGINES:
        raise ConfigError(f"engine must be 'ray' or None, but is {cell(engine)}")
    from clx.ml.batch.ray_cluster import import_ray
    from clx.ml.batch.ray_engine import RayOptions, predict_on_ray

    import_ray()
    options = RayOptions(address, workers, gpus_per_worker or 0.0)
    return partial(predict_on_ray, options=options)
