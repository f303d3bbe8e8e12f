"""Processes of one training: if one of them is killed or fails, none of the others waits for it."""

import itertools
import os
import socket
import subprocess
import sys
import time

import pytest

from clx.ml.machine.running import is_running
from clx.ml.machine.watch import is_connection_error

SCRIPT = """
import os, signal, sys, time
import torch
from clx.errors import ConfigError
from clx.ml.machine import watch

watch.GRACE_S = 1.0
how, victim = sys.argv[1], int(sys.argv[2])
try:
    with watch.together("Try again"):
        torch.distributed.init_process_group("gloo")
        torch.distributed.barrier()
        if int(os.environ["RANK"]) == victim:
            if how == "fail":
                raise ConfigError("there is no such thing")
            # The watch of the other process has seen this one.
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "busy":
            # As in a call of NCCL, which no exception reaches.
            time.sleep(3000)
        torch.distributed.barrier()
except Exception as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


def free_ports():
    """Yield ports below those that the system gives to connections, which may take one meanwhile."""
    for number in itertools.count(3 * os.getpid()):
        port = 20_000 + number % 10_000
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


PORTS = free_ports()


class Pair:
    """Two processes of one training, started without torchrun."""

    def __init__(self, script, how, victim):
        port = str(next(PORTS))
        environment = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        self.victim = victim
        self.processes = [
            subprocess.Popen(
                [sys.executable, script, how, str(victim)],
                env={**environment, "MASTER_PORT": port, "RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]

    def ended(self):
        """Return the exit status, stdout and stderr of the process that was not the victim."""
        told = [process.communicate(timeout=600) for process in self.processes]
        other = 1 - self.victim
        return self.processes[other].returncode, *told[other]


def test_a_process_that_ends_ends_the_others(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    started = time.monotonic()
    # Without a launcher, rank 0 has the store of the connection.
    killed, busy, failed = (
        Pair(script, how, victim) for how, victim in (("kill", 0), ("busy", 1), ("fail", 1))
    )
    status, out, _ = killed.ended()
    assert status == 3
    # Its end is seen by its process id, or by its store, whichever comes first.
    assert "TrainingError Rank 0 " in out
    assert "All 2 processes stop. Try again" in out
    status, _, err = busy.ended()
    assert status == 1
    assert "Rank 1 (process" in err
    status, out, err = failed.ended()
    # The connection closes when the other process has ended, or the grace ends before.
    assert status in (2, 3)
    assert "Rank 1 (process" in out + err
    assert "failed: there is no such thing. All 2 processes stop." in out + err
    # Without the watch, the barrier waits for half an hour.
    assert time.monotonic() - started < 600


def test_a_zombie_does_not_run():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    if not os.path.exists("/proc/self/stat"):
        pytest.skip("the system has no /proc")
    until = time.monotonic() + 300
    while is_running(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(process.pid)
    process.wait()
    assert not is_running(process.pid)
    assert is_running(os.getpid())


def test_an_error_of_the_connection_is_told_from_others():
    closed = "[gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:4711"
    assert is_connection_error(RuntimeError(closed))
    assert not is_connection_error(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_connection_error(OSError("broken pipe"))
