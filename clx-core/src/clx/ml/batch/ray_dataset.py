"""Predict a Ray dataset: lazily, batch by batch, with the run opened once per actor."""

from __future__ import annotations

import math
from typing import Any

from clx.errors import ConfigError, DataFormatError
from clx.ml.batch.predictor import Predictor
from clx.ml.batch.ray_cluster import import_ray

BATCH_ROWS = 4096
"""The rows that an actor gets at once; it sorts them by length."""


class Predicted:
    """The callable of the actors; Ray wants a class and makes an object in each."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def __call__(self, batch: Any) -> Any:
        """Return a pyarrow table with the columns of the predictions."""
        return self._predictor(batch)


def require_dataset(dataset: Any) -> None:
    """Raise if the argument is not a Ray dataset.

    Raises:
        MissingDependencyError: Ray is not installed.
        DataFormatError: the argument is not a Ray dataset.
    """
    import_ray()
    import ray.data

    if not isinstance(dataset, ray.data.Dataset):
        kind = f"{type(dataset).__module__}.{type(dataset).__qualname__}"
        raise DataFormatError(
            f"predict_dataset takes a ray.data.Dataset, but got {kind}. ray.data.from_pandas, "
            f"read_parquet and similar functions make one; predict_frame takes tables."
        )


def predicted_dataset(
    dataset: Any,
    predictor: Predictor,
    workers: int | None = None,
    batch_size: int | None = None,
    gpus_per_worker: float = 0,
) -> Any:
    """Return a lazy dataset with the columns of the predictions.

    Args:
        dataset: the ``ray.data.Dataset``.
        predictor: what predicts a batch.
        workers: the number of actors; None for as many as the cluster has room for.
        batch_size: how many rows an actor gets at once.
        gpus_per_worker: how many GPUs each actor reserves.

    Raises:
        ConfigError: a number is out of range.
    """
    import ray.data

    for name, value in {"workers": workers, "batch_size": batch_size}.items():
        if value is not None and value < 1:
            raise ConfigError(f"{name} must be at least 1, but is {value}")
    if gpus_per_worker < 0:
        raise ConfigError(f"gpus_per_worker must not be negative, but is {gpus_per_worker}")
    return dataset.map_batches(
        Predicted,
        fn_constructor_args=(predictor,),
        batch_format="pyarrow",
        batch_size=batch_size or BATCH_ROWS,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=_cpus_of_each(workers or 1),
        num_gpus=gpus_per_worker or None,
        udf_modifying_row_count=False,
    )


def _cpus_of_each(workers: int) -> float:
    """Return how many CPUs each actor reserves, so that the reading tasks get one.

    Otherwise the actors would wait for these tasks, and these tasks for a CPU, forever.
    """
    import ray

    if not ray.is_initialized():
        return 1.0
    left: float = max(0.0, ray.cluster_resources().get("CPU", 1.0) - 1)
    # Ray counts in ten thousandths of a CPU.
    return min(1.0, math.floor(left / workers * 10_000) / 10_000)
