"""Which share of the parts a worker does: given by the user, or by the scheduler's environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from clx.errors import ConfigError
from clx.problems import cell

T = TypeVar("T")

AUTO = "auto"


@dataclass(frozen=True)
class Shard:
    """One of several equal shares.

    Attributes:
        number: which one, counted from 1.
        count: how many there are.
    """

    number: int
    count: int

    def of(self, items: Sequence[T]) -> list[T]:
        """Return the items of this share: a range, so that a worker reads a file at most once."""
        total = len(items)
        return list(
            items[total * (self.number - 1) // self.count : total * self.number // self.count]
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


ALL = Shard(1, 1)


def shard_of(value: Any, environment: Mapping[str, str]) -> Shard:
    """Return the shard that ``"3/16"``, ``"auto"`` or None stands for; None stands for all.

    Args:
        value: what the user wrote.
        environment: the variables of the process.

    Raises:
        ConfigError: the value is not valid, or ``auto`` finds no scheduler, or two that differ.
    """
    if value is None:
        return ALL
    if value == AUTO:
        return _from_scheduler(environment)
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", str(value).strip())
    if match is None:
        raise ConfigError(f"shard must be like 3/16, or auto, but is {cell(value)}")
    return _checked(int(match.group(1)), int(match.group(2)), f"shard={value}")


def _checked(number: int, count: int, what: str) -> Shard:
    if not 1 <= number <= count:
        raise ConfigError(
            f"{what} is not a shard: shards count from 1, so the last of {count} is {count}/{count}"
        )
    return Shard(number, count)


def _from_scheduler(environment: Mapping[str, str]) -> Shard:
    found: dict[str, Shard] = {}
    for name, read in _SCHEDULERS.items():
        shard = read(environment)
        if shard is not None:
            found[name] = shard
    several = {name: shard for name, shard in found.items() if shard.count > 1} or found
    if not several:
        raise ConfigError(
            "shard='auto' reads the variables of SLURM, torchrun, SkyPilot or a Kubernetes indexed "
            "job, but none of them is set: write the shard, such as 3/16"
        )
    if len(set(several.values())) > 1:
        told = ", ".join(f"{name} says {shard}" for name, shard in several.items())
        raise ConfigError(f"shard='auto' is ambiguous: {told}. Write the shard, such as 3/16")
    (only,) = set(several.values())
    return only


def _slurm_array(environment: Mapping[str, str]) -> Shard | None:
    values = _numbers(environment, "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
    if values is None:
        return None
    task, count = values
    first = int(environment.get("SLURM_ARRAY_TASK_MIN", "0"))
    step = int(environment.get("SLURM_ARRAY_TASK_STEP", "1"))
    place, rest = divmod(task - first, step)
    if rest or not 0 <= place < count:
        raise ConfigError(
            f"shard='auto' needs an array without gaps, such as --array=1-{count}: task {task} is not "
            f"one of {count} tasks from {first} in steps of {step}"
        )
    return Shard(place + 1, count)


def _counted(index: str, count: str) -> Any:
    """Return a function that reads a worker's index, counted from 0, and the number of workers."""

    def read(environment: Mapping[str, str]) -> Shard | None:
        values = _numbers(environment, index, count)
        if values is None:
            return None
        return _checked(values[0] + 1, values[1], f"{index}={values[0]}, {count}={values[1]}")

    return read


def _kubernetes(environment: Mapping[str, str]) -> Shard | None:
    if "JOB_COMPLETION_INDEX" not in environment:
        return None
    # Kubernetes tells a pod its index and not the number of pods.
    name = next((each for each in ("JOB_COMPLETIONS", "CLX_SHARDS") if each in environment), None)
    if name is None:
        raise ConfigError(
            "shard='auto' finds JOB_COMPLETION_INDEX, but Kubernetes does not tell how many pods there "
            "are: set the variable CLX_SHARDS to spec.completions in the pod's template"
        )
    reader = _counted("JOB_COMPLETION_INDEX", name)
    shard: Shard | None = reader(environment)
    return shard


def _numbers(environment: Mapping[str, str], *names: str) -> list[int] | None:
    values = [environment.get(name) for name in names]
    if any(value is None for value in values):
        return None
    if not all(str(value).isdigit() for value in values):
        told = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise ConfigError(f"shard='auto' needs whole numbers, but finds {told}")
    return [int(str(value)) for value in values]


_SCHEDULERS = {
    "the SLURM array": _slurm_array,
    "SLURM": _counted("SLURM_PROCID", "SLURM_NTASKS"),
    "torchrun": _counted("RANK", "WORLD_SIZE"),
    "SkyPilot": _counted("SKYPILOT_NODE_RANK", "SKYPILOT_NUM_NODES"),
    "Kubernetes": _kubernetes,
}
