"""Pieces of work and the actors that do them: each piece once, whatever dies."""

import os
import signal
import time
from collections import Counter
from functools import partial

import pytest

from clx.errors import ClxError, ClxWarning, RunNotFoundError
from clx.ml.batch.ray_cluster import Workers
from clx.ml.batch.ray_dispatch import ATTEMPTS, Dispatch

# On a busy machine, a worker may need longer than that to import torch.
pytestmark = pytest.mark.filterwarnings("ignore:No worker has started")

TWO = Workers(2)


def squares(folder, number):
    """Square a number; 3 raises, 7 kills its worker each time, and 5 only the first time."""
    with (folder / "log").open("a") as log:
        log.write(f"{number}\n")
    if number == 3:
        raise ValueError("three")
    if number == 7 or (number == 5 and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def make_squares(folder):
    return partial(squares, folder)


def test_a_lost_worker_costs_only_its_piece(ray_cluster, tmp_path):
    dispatch = Dispatch(ray_cluster, partial(make_squares, tmp_path), TWO)
    outcomes = {each.work: each for each in dispatch.outcomes(range(12))}
    done = {work: each.result for work, each in outcomes.items() if each.cause is None}
    assert done == {number: number * number for number in range(12) if number not in (3, 7)}
    assert outcomes[3].cause == "ValueError: three"
    assert [outcomes[number].attempts for number in (0, 3, 5, 7)] == [1, ATTEMPTS, 2, ATTEMPTS]
    assert all(each.where for each in outcomes.values())
    assert "its worker was lost" in outcomes[7].cause
    assert dispatch.lost == 1 + ATTEMPTS
    tried = Counter(map(int, (tmp_path / "log").read_text().split()))
    more = {3: ATTEMPTS, 7: ATTEMPTS, 5: 2}
    assert tried == {number: more.get(number, 1) for number in range(12)}


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_die_while_they_start_end_the_call(ray_cluster):
    with pytest.raises(ClxError, match="workers died, and none finished anything"):
        list(Dispatch(ray_cluster, dies, Workers(1), attempts=1).outcomes(range(100)))


def unusable(folder):
    """Serve on the first machine that asks only; the others lack the run."""
    try:
        (folder / "first").mkdir()
    except FileExistsError:
        (folder / "second").touch()
        raise RunNotFoundError("There is no run in /data/my-run.") from None
    return partial(after_second, folder)


def after_second(folder, number):
    while not (folder / "second").exists():
        time.sleep(0.01)
    return number


def test_a_machine_without_the_run_is_named_and_the_others_go_on(ray_cluster, tmp_path):
    make = partial(unusable, tmp_path)
    with pytest.warns(ClxWarning, match=r"On the machine [\d.]+: There is no run in /data/my-run"):
        outcomes = list(Dispatch(ray_cluster, make, TWO).outcomes(range(20)))
    assert sorted(each.result for each in outcomes) == list(range(20))


def test_no_machine_with_the_run_is_an_error(ray_cluster, tmp_path):
    (tmp_path / "first").mkdir()
    with pytest.raises(ClxError, match=r"On the machine [\d.]+: There is no run in /data/my-run"):
        list(Dispatch(ray_cluster, partial(unusable, tmp_path), TWO).outcomes(range(100)))


def make_slow():
    return time.sleep


def test_a_call_that_is_stopped_frees_its_workers(ray_cluster):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Dispatch(ray_cluster, make_slow, TWO, stop).outcomes([60, 61]))
    outcomes = Dispatch(ray_cluster, make_slow, TWO).outcomes([0.0, 0.1])
    assert [each.work for each in outcomes] == [0.0, 0.1]
