"""A Ray cluster for a prediction: a running one, or a temporary one on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clx.errors import ClxError, ConfigError, MissingDependencyError

PIP_LINE = "pip install 'clx-core[ray]'"

STORE_BYTES = 80 * 2**20
"""The size of the object store that we start; only counts and messages travel through it."""

ANSWER_SECONDS = 10.0
"""The seconds that a cluster's port may take to answer; Ray itself would try for minutes."""


@dataclass(frozen=True)
class Node:
    """The processors of one machine of a cluster."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True)
class Workers:
    """How many workers a prediction starts, and what each one reserves.

    Attributes:
        count: the number of workers.
        cpus: the CPUs of each, which is its number of threads.
        gpus: the GPUs of each; a fraction shares one.
    """

    count: int
    cpus: int = 1
    gpus: float = 0.0


def import_ray() -> Any:
    """Return the imported package.

    Raises:
        MissingDependencyError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(f"This needs Ray, and {error}: {PIP_LINE}") from error
    return ray


@contextlib.contextmanager
def connected(ray: Any, address: str | None, cpus: int) -> Iterator[None]:
    """Connect to a cluster; afterwards, the process is connected to what it was before.

    Args:
        ray: the imported package.
        address: the address of a cluster; None for the environment variable ``RAY_ADDRESS``, for the
            cluster that this process is already connected to, and otherwise for one on this machine,
            which is stopped at the end.
        cpus: how many CPUs a cluster on this machine gets.

    Raises:
        ClxError: there is no cluster at the address, or none could be started.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with _own_sigterm():
            if address is None:
                ray.init(
                    address="local",
                    num_cpus=cpus,
                    object_store_memory=STORE_BYTES,
                    include_dashboard=False,
                    **quiet,
                )
            else:
                _require_answer(address)
                ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        where = "on this machine" if address is None else f"at {address}"
        raise ClxError(f"There is no Ray cluster {where}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def workers_for(nodes: Sequence[Node], count: int | None, gpus: float = 0.0) -> Workers:
    """Return how many workers the nodes of a cluster take.

    Args:
        nodes: the machines.
        count: how many workers the user wants; None for one worker per CPU or per share of a GPU.
        gpus: how many GPUs each worker gets.

    Raises:
        ConfigError: the count or the number of GPUs is out of range, or no machine has the GPUs.
    """
    if count is not None and count < 1:
        raise ConfigError(f"workers must be at least 1, but is {count}")
    if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        raise ConfigError(
            f"gpus_per_worker must be a whole number, or a share of one GPU such as 0.5, but is {gpus}"
        )
    if gpus and not any(node.gpus >= gpus for node in nodes):
        most = max((node.gpus for node in nodes), default=0)
        raise ConfigError(
            f"gpus_per_worker is {gpus:g}, but no machine of the cluster has more than {most:g} GPUs"
        )
    if count is None:
        count = max(1, _capacity(nodes, 1, gpus))
    largest = int(max((node.cpus for node in nodes), default=1))
    fitting = (cpus for cpus in range(largest, 1, -1) if _capacity(nodes, cpus, gpus) >= count)
    return Workers(count, next(fitting, 1), gpus)


def _capacity(nodes: Sequence[Node], cpus: int, gpus: float) -> int:
    """Return how many workers with these CPUs and GPUs all nodes can take together."""
    by_cpu = (int(node.cpus // cpus) for node in nodes)
    if not gpus:
        return sum(by_cpu)
    by_gpu = (
        int(node.gpus) * int(1 / gpus) if gpus < 1 else int(node.gpus // gpus) for node in nodes
    )
    return sum(map(min, by_cpu, by_gpu))


def nodes_of(ray: Any) -> list[Node]:
    """Return the machines of the cluster that are alive."""
    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [Node(each.get("CPU", 0.0), each.get("GPU", 0.0)) for each in alive]


@contextlib.contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this program's handler of SIGTERM, which ``ray.init`` replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _require_answer(address: str) -> None:
    """Raise if nothing listens at an address of the form ``host:port`` or ``ray://host:port``."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return
    with socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS):
        pass
