"""benchmarks/schedule.py, cited in docs/background/large-predictions.md, keeps its invariants."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "schedule.py"


@pytest.fixture(scope="module")
def schedule():
    spec = importlib.util.spec_from_file_location("schedule", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["schedule"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["schedule"]


@pytest.fixture
def setting(schedule):
    return schedule.Setting(rows=400_000, part_rows=1000, workers=50, rate=100.0)


@pytest.mark.parametrize("plan", ["static", "dynamic"])
@pytest.mark.parametrize("parts", [1, 49, 400, 401])
def test_without_failures_the_time_is_that_of_the_formula(schedule, setting, plan, parts):
    setting = replace(setting, rows=parts * setting.part_rows)
    outcome = schedule.simulate(setting, plan)
    rounds = -(-parts // 50)
    assert outcome.seconds == pytest.approx(10 + rounds * (1 + 10))
    assert outcome.seconds == pytest.approx(schedule.without_failures(setting))
    assert outcome.efficiency == pytest.approx(parts * 10 / (50 * outcome.seconds))


@pytest.mark.parametrize("plan", ["static", "array", "dynamic"])
def test_every_part_is_completed_once_whatever_is_lost(schedule, setting, plan):
    setting = replace(setting, lost_after=200.0, slow_share=0.1, failing=3)
    outcome = schedule.simulate(setting, plan, seed=1)
    assert sorted(outcome.done) == [0] * 3 + [1] * 397
    assert sum(outcome.tried) > 397 + 3 * 3
    given_up = [tried for done, tried in zip(outcome.done, outcome.tried, strict=True) if not done]
    assert all(tried == 3 for tried in given_up)
    assert 0 < outcome.efficiency <= outcome.paid < 1


def test_a_seed_gives_the_same_outcome(schedule, setting):
    setting = replace(setting, lost_after=500.0)
    assert schedule.simulate(setting, "dynamic", 3) == schedule.simulate(setting, "dynamic", 3)
    assert schedule.simulate(setting, "dynamic", 3) != schedule.simulate(setting, "dynamic", 4)


def test_a_slow_worker_holds_up_its_shard_but_not_a_queue(schedule, setting):
    setting = replace(setting, slow_share=0.1)
    assert schedule.simulate(setting, "static").seconds > 1.5 * (
        schedule.simulate(setting, "dynamic").seconds
    )
