"""Who predicts the parts: this process, or the workers of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clx.errors import ConfigError
from clx.problems import cell, did_you_mean, names

if TYPE_CHECKING:
    from clx.ml.batch.ray_engine import RayOptions

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)


def ray_options(
    engine: Any, address: str | None, workers: int | None, gpus_per_worker: float
) -> RayOptions | None:
    """Return the options for Ray, None for a prediction in this process.

    Raises:
        ConfigError: there is no such engine, or options of Ray are given without it.
        MissingDependencyError: Ray is not installed.
    """
    if engine not in ENGINES:
        raise ConfigError(
            f"engine must be one of {names(ENGINES)}, but is {cell(engine)}"
            f"{did_you_mean(str(engine), ENGINES)}"
        )
    if engine == LOCAL:
        given = {"address": address, "workers": workers, "gpus_per_worker": gpus_per_worker or None}
        if others := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"{names(others)} need engine='ray'")
        return None
    from clx.ml.batch.ray_cluster import import_ray
    from clx.ml.batch.ray_engine import RayOptions

    import_ray()
    return RayOptions(address, workers, gpus_per_worker)
