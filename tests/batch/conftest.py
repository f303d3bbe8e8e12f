"""What the tests of the room share."""

import logging

import pytest


@pytest.fixture(scope="session")
def ray_cluster():
    """Ray, connected to a cluster of two CPUs on this machine."""
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield ray
    ray.shutdown()
