"""How many CPUs a process was given, from what clusters and containers write."""

import os
import sys
from types import SimpleNamespace

import pytest

from clx.ml.machine.cpus import computing_threads
from clx_runtime import cpus
from clx_runtime.cpus import given_cpus, session_threads


@pytest.fixture(autouse=True)
def sixteen_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delitem(sys.modules, "ray", raising=False)


def group(root, line, files):
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "cgroup").write_text(line)
    for name, content in files.items():
        path = root / "sys" / "fs" / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_without_limits_it_is_the_cpus_that_the_process_may_run_on(tmp_path):
    assert given_cpus({}, tmp_path) == 16


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"OMP_NUM_THREADS": "4"}, 4),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"OMP_NUM_THREADS": "0"}, 16),
        ({"OMP_NUM_THREADS": "many"}, 16),
        ({"OMP_NUM_THREADS": "99"}, 16),
        ({"SLURM_CPUS_PER_TASK": "8"}, 8),
        ({"SLURM_CPUS_PER_TASK": "8", "OMP_NUM_THREADS": "2"}, 2),
    ],
)
def test_variables(tmp_path, environ, expected):
    assert given_cpus(environ, tmp_path) == expected


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 16),
        ("0::/pod/box\n", {"pod/box/cpu.max": "max 100000", "pod/cpu.max": "300000 100000"}, 3),
        ("0::/not/here\n", {"cpu.max": "500000 100000"}, 5),
        (
            "4:cpu,cpuacct:/job\n3:cpuset:/\n0::/\n",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "400000\n",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            "1:cpu:/docker/abc\n",
            {"cpu/cpu.cfs_quota_us": "600000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            6,
        ),
        (
            "1:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            16,
        ),
        ("nonsense\n", {"cpu.max": "nonsense"}, 16),
    ],
)
def test_quotas_of_control_groups(tmp_path, line, files, expected):
    assert given_cpus({}, group(tmp_path, line, files)) == expected


class Context:
    def __init__(self, resources):
        self.resources = resources

    def get_assigned_resources(self):
        assert self.resources is not None, "only in a worker"
        return self.resources


@pytest.mark.parametrize(
    ("resources", "expected"),
    [({"CPU": 3.0}, 3), ({"CPU": 0.5}, 1), ({"GPU": 1.0}, 16), ({}, 16), (None, 16)],
)
def test_the_cpus_of_a_ray_worker(tmp_path, monkeypatch, resources, expected):
    ray = SimpleNamespace(
        is_initialized=lambda: True, get_runtime_context=lambda: Context(resources)
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert given_cpus({}, tmp_path) == expected
    ray.is_initialized = lambda: False
    assert given_cpus({}, tmp_path) == 16


def test_a_session_gets_the_threads_of_the_call_or_of_a_limit(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cpus, "given_cpus", lambda: 64)
    assert session_threads() is None
    monkeypatch.setattr(cpus, "given_cpus", lambda: 5)
    assert session_threads() == 5
    with computing_threads(3, with_torch=False):
        assert session_threads() == 3
    assert session_threads() == 5
