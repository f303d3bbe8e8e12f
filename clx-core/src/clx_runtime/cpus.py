"""The CPUs that this process was given."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

_CHOSEN: ContextVar[int | None] = ContextVar("clx_threads", default=None)
"""The caller's number of threads for the current call."""


def given_cpus(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> int:
    """Return how many CPUs this process was given: the smallest of the known limits, at least 1.

    The limits are ``OMP_NUM_THREADS``, the CPUs of the SLURM task and of the Ray task or actor, the
    quota of the control group, and the CPUs that the process may run on.

    Args:
        environ: the environment variables, None for those of this process.
        root: the folder in which ``proc`` and ``sys`` are.
    """
    variables = os.environ if environ is None else environ
    limits = [
        _affinity(),
        _whole(variables.get("OMP_NUM_THREADS")),
        _whole(variables.get("SLURM_CPUS_PER_TASK")),
        _of_ray(),
        _of_group(root),
    ]
    return max(1, min(limit for limit in limits if limit is not None))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _whole(value: str | None) -> int | None:
    """Return the number of a variable. That of OpenMP may have one number per nesting level."""
    first = (value or "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


def _of_ray() -> int | None:
    """Return the CPUs of the Ray task or actor that this code runs in."""
    ray = sys.modules.get("ray")
    if ray is None or not hasattr(ray, "is_initialized") or not ray.is_initialized():
        return None
    try:
        cpus = ray.get_runtime_context().get_assigned_resources().get("CPU")
    except AssertionError:
        # This is the driver, which has no resources of its own.
        return None
    return math.ceil(cpus) if cpus else None


def _of_group(root: Path) -> int | None:
    """Return the quota of the control group of this process, or of the closest limited parent."""
    quotas = [
        quota
        for folder, path in _groups(root)
        for each in (folder / path, *(folder / path).parents)
        if each == folder or folder in each.parents
        if (quota := _quota(each)) is not None
    ]
    return max(1, math.ceil(min(quotas))) if quotas else None


def _groups(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield where the groups of a controller are mounted, and the path of this process's group."""
    mounted = root / "sys" / "fs" / "cgroup"
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            yield mounted, path.lstrip("/")
        elif "cpu" in controllers.split(","):
            for name in dict.fromkeys((controllers, "cpu")):
                yield mounted / name, path.lstrip("/")


def _quota(folder: Path) -> float | None:
    """Return the CPUs that a group may use, for both versions of control groups."""
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if not quota:
        quota = _text(folder / "cpu.cfs_quota_us").strip()
        period = _text(folder / "cpu.cfs_period_us").strip()
    # No limit is "max", or -1 in the older version.
    if not quota.isdecimal() or not period.isdecimal() or not int(period):
        return None
    return int(quota) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def chosen_threads() -> int | None:
    """Return the number of threads that the caller chose for this call, None if there is none."""
    return _CHOSEN.get()


def session_threads() -> int | None:
    """Return how many threads a session of ONNX Runtime needs, None to leave it to the library."""
    chosen = _CHOSEN.get()
    if chosen is not None:
        return chosen
    cpus = given_cpus()
    return cpus if cpus < (os.cpu_count() or 1) or os.environ.get("OMP_NUM_THREADS") else None


@contextlib.contextmanager
def with_threads(threads: int | None) -> Iterator[None]:
    """Choose the number of threads of the sessions that are created in the block."""
    token = _CHOSEN.set(threads)
    try:
        yield
    finally:
        _CHOSEN.reset(token)
