"""How many workers fit on a cluster, and clear errors where there is none."""

import socket
import sys

import pytest

from clx.errors import ClxError, ConfigError, MissingDependencyError
from clx.ml.batch.ray_cluster import Node, Workers, connected, import_ray, workers_for

TWO = [Node(cpus=8), Node(cpus=4)]
GPUS = [Node(cpus=16, gpus=2), Node(cpus=16)]


@pytest.mark.parametrize(
    ("nodes", "count", "gpus", "expected"),
    [
        (TWO, None, 0, Workers(12, cpus=1)),
        (TWO, 1, 0, Workers(1, cpus=8)),
        (TWO, 2, 0, Workers(2, cpus=4)),
        (TWO, 3, 0, Workers(3, cpus=4)),
        (TWO, 5, 0, Workers(5, cpus=2)),
        (TWO, 100, 0, Workers(100, cpus=1)),
        (GPUS, None, 1, Workers(2, cpus=8, gpus=1)),
        (GPUS, None, 0.5, Workers(4, cpus=4, gpus=0.5)),
        (GPUS, None, 2, Workers(1, cpus=16, gpus=2)),
    ],
)
def test_workers_share_the_processors_of_the_machines(nodes, count, gpus, expected):
    assert workers_for(nodes, count, gpus) == expected


@pytest.mark.parametrize(
    ("count", "gpus", "message"),
    [
        (0, 0, "workers must be at least 1, but is 0"),
        (None, -1, "share of one GPU"),
        (None, 1.5, "but is 1.5"),
        (None, 4, "no machine of the cluster has more than 2 GPUs"),
    ],
)
def test_workers_that_no_cluster_can_have_are_refused(count, gpus, message):
    with pytest.raises(ConfigError, match=message):
        workers_for(GPUS, count, gpus)


def test_ray_that_is_not_installed_is_named_with_its_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'clx-core\[ray\]'"):
        import_ray()


class NotConnected:
    """A Ray whose ``init`` must not be called: it would wait for minutes."""

    def is_initialized(self):
        return False


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nothing_listens_is_an_error_at_once(form):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = form.format(free.getsockname()[1])
    with (
        pytest.raises(ClxError, match=f"no Ray cluster at {address}"),
        connected(NotConnected(), address, 1),
    ):
        pass
