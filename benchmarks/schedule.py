"""Simulate how workers go through the parts of a large prediction: which part size, which plan.

python benchmarks/schedule.py                     # 10⁸ texts, 1,000 workers; under a minute
python benchmarks/schedule.py --rate 27           # long texts

Nothing is predicted: the inputs are a rate, which ``clx estimate`` measures, and a model of failures.
A worker is lost after an exponential time, with the part in its hand, and another one replaces it. A
small share of the workers is slow, by a factor with a heavy tail (Pareto). Some parts always fail, and
are given up after a few attempts.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

STATIC, ARRAY, DYNAMIC = "static", "array", "dynamic"
PLANS = {
    STATIC: "one shard per worker",
    ARRAY: "8 shards per worker, as they get free",
    DYNAMIC: "the next part, as with Ray",
}
SHARDS_PER_WORKER = 8


@dataclass(frozen=True)
class Setting:
    """One simulated prediction. Times are in seconds.

    Attributes:
        rows: the rows of the input.
        part_rows: the rows of a part.
        workers: how many workers there are at any time.
        rate: the rows that a worker of the usual speed predicts in a second.
        overhead: what a part costs besides its rows: it is listed, opened, written and committed.
        start: the time until a new worker has loaded its model.
        lost_after: the mean time until a worker is lost; infinite for never.
        replaced_after: the time until a lost worker is noticed and replaced.
        slow_share: the share of workers that are slow.
        slow_tail: the exponent of the Pareto distribution of their slowness; smaller is heavier.
        slowest: the most that a worker may be slowed down.
        failing: the number of parts that always fail, at their end.
        attempts: how often a failing part is tried.
    """

    rows: int = 100_000_000
    part_rows: int = 16_384
    workers: int = 1000
    rate: float = 330.0
    overhead: float = 1.0
    start: float = 10.0
    lost_after: float = float("inf")
    replaced_after: float = 120.0
    slow_share: float = 0.0
    slow_tail: float = 1.5
    slowest: float = 20.0
    failing: int = 0
    attempts: int = 3

    @property
    def parts(self) -> int:
        """The number of parts."""
        return -(-self.rows // self.part_rows)


@dataclass(frozen=True)
class Outcome:
    """What became of a prediction.

    Attributes:
        seconds: the time until the last part was complete or given up.
        busy: the sum of the times for which workers were held. A worker without work is given back.
        done: how often each part was completed.
        tried: how often each part was begun.
        efficiency: the useful share of all workers' time until the end.
        paid: the useful share of the time for which workers were held.
    """

    seconds: float
    busy: float
    done: list[int]
    tried: list[int]
    efficiency: float
    paid: float


def shards(parts: int, count: int) -> list[range]:
    """Return contiguous ranges of parts, whose sizes differ by at most one."""
    return [range(parts * n // count, parts * (n + 1) // count) for n in range(count)]


def simulate(setting: Setting, plan: str, seed: int = 0) -> Outcome:
    """Simulate one prediction.

    Args:
        setting: the input, the workers, and the failures.
        plan: ``static``: each worker has one contiguous shard. ``array``: there are several shards per
            worker, and a free worker takes the next. ``dynamic``: a free worker takes the next part.
        seed: the seed of all random numbers.
    """
    rng = random.Random(seed)
    units = {
        STATIC: shards(setting.parts, setting.workers),
        ARRAY: shards(setting.parts, setting.workers * SHARDS_PER_WORKER),
        DYNAMIC: [range(part, part + 1) for part in range(setting.parts)],
    }[plan]
    bad = set(rng.sample(range(setting.parts), min(setting.failing, setting.parts)))
    done, tried = [0] * setting.parts, [0] * setting.parts
    # What waits: the time from which a unit may be taken, its number, and its parts that are left.
    waiting = [(0.0, number, list(unit)) for number, unit in enumerate(units) if unit]
    heapq.heapify(waiting)
    # A worker: the time at which it is free, its number, and how slow it is.
    free = [(setting.start, number, slowness(setting, rng)) for number in range(setting.workers)]
    heapq.heapify(free)
    busy, end = 0.0, 0.0
    while waiting:
        now, worker, slow = heapq.heappop(free)
        since, number, left = heapq.heappop(waiting)
        at = max(now, since)
        lost_at = at + exponential(setting.lost_after, rng)
        if plan == ARRAY and number >= setting.workers and since == 0.0:
            # Every shard of an array is a job of its own, which loads the model.
            at += setting.start
        while left:
            part = left[0]
            rows = min(setting.part_rows, setting.rows - part * setting.part_rows)
            finished = at + setting.overhead + slow * rows / setting.rate
            tried[part] += 1
            if finished > lost_at:
                back = lost_at + setting.replaced_after
                heapq.heappush(waiting, (back, number, left))
                fresh = back + setting.start
                heapq.heappush(free, (fresh, worker, slowness(setting, rng)))
                end, busy = max(end, lost_at), busy - setting.replaced_after
                break
            at = finished
            if part not in bad:
                done[part] += 1
                left.pop(0)
            elif tried[part] >= setting.attempts:
                left.pop(0)
        else:
            heapq.heappush(free, (at, worker, slow))
            end = max(end, at)
    # A worker is held from the beginning until it was last free. Without work left, it is given back.
    busy += sum(min(at, end) for at, _, _ in free)
    useful = (setting.rows - len(bad) * setting.part_rows) / setting.rate
    return Outcome(end, busy, done, tried, useful / (setting.workers * end), useful / busy)


def slowness(setting: Setting, rng: random.Random) -> float:
    """Return how many times as long as usual a new worker takes."""
    if rng.random() >= setting.slow_share:
        return 1.0
    return min(rng.paretovariate(setting.slow_tail), setting.slowest)


def exponential(mean: float, rng: random.Random) -> float:
    """Return a random time with this mean, infinite for an infinite mean."""
    return mean if mean == float("inf") else rng.expovariate(1 / mean)


def without_failures(setting: Setting) -> float:
    """Return the seconds of ``static`` and ``dynamic`` without failures, from the formula."""
    rounds = -(-setting.parts // setting.workers)
    return setting.start + rounds * (setting.overhead + setting.part_rows / setting.rate)


SIZES = (2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072)


def scenarios(base: Setting) -> Iterator[tuple[str, Setting]]:
    """Yield the failures to simulate, each alone and then all together."""
    hour = 3600.0
    yield "none", base
    yield "a worker is lost every 4 h", replace(base, lost_after=4 * hour)
    yield "2 % of the workers are slow", replace(base, slow_share=0.02)
    yield "one part always fails", replace(base, failing=1)
    yield "all three", replace(base, lost_after=4 * hour, slow_share=0.02, failing=1)


def main() -> None:
    """Read the command line, and print one table per scenario."""
    import figures

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=Setting.rows)
    parser.add_argument("--workers", type=int, default=Setting.workers)
    parser.add_argument(
        "--rate", type=float, default=Setting.rate, help="rows per second and worker"
    )
    parser.add_argument("--overhead", type=float, default=Setting.overhead, help="seconds per part")
    parser.add_argument("--seeds", type=int, default=7)
    figures.add_options(parser)
    arguments = parser.parse_args()
    base = Setting(
        arguments.rows,
        workers=arguments.workers,
        rate=arguments.rate,
        overhead=arguments.overhead,
    )
    ideal = base.rows / base.rate / base.workers
    print(
        f"{base.rows:,} rows, {base.workers:,} workers, {base.rate:g} rows/s: {ideal:,.0f} s ideal"
    )
    table: dict[int, figures.Row] = {size: {"name": f"{size:,}"} for size in SIZES}
    for title, setting in scenarios(base):
        print(f"\nFailures: {title}. Efficiency (share of the workers' time that is useful)")
        print(f"{'rows per part':>14}" + "".join(f"{PLANS[plan]:>40}" for plan in PLANS))
        for size in SIZES:
            cells = []
            for plan in PLANS:
                sized = replace(setting, part_rows=size)
                found = [simulate(sized, plan, seed) for seed in range(arguments.seeds)]
                middle = statistics.median(each.efficiency for each in found)
                paid = statistics.median(each.paid for each in found)
                seconds = statistics.median(each.seconds for each in found)
                table[size][f"{title}: {plan}"] = middle
                cells.append(f"{middle:>14.0%} {seconds:>9,.0f} s, paid {paid:>5.0%}")
            print(f"{size:>14,}" + "".join(f"{each:>40}" for each in cells), flush=True)
    figures.append(arguments, f"schedule, {base.rate:g} rows/s", list(table.values()))


if __name__ == "__main__":
    main()
