"""Measuring in turn: what is compared runs in one process, one after the other, several times.

Only ratios to a yardstick are reported: absolute times say more of the machine and its other
users. Each round runs everything once, in an order that moves on by one; a ratio is the median of
the rounds' ratios, so that a disturbance hits one round and not one contestant.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Row:
    """One figure of a benchmark.

    Attributes:
        name: what was run.
        seconds: median time of one run.
        ratio: how many times as fast as the yardstick; 1 for the yardstick itself.
        spread: lowest and highest ratio of a round.
        goal: the ratio that DESIGN wants, if it wants one.
        notes: other figures, such as an accuracy.
    """

    name: str
    seconds: float
    ratio: float = 1.0
    spread: tuple[float, float] = (1.0, 1.0)
    goal: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Table:
    """The figures of one benchmark against one yardstick; ``what`` says what a ratio means."""

    title: str
    yardstick: str
    rows: list[Row]
    what: str = "times as fast as"

    def show(self) -> str:
        """Return the table as text."""
        width = max(len(row.name) for row in self.rows)
        lines = [f"{self.title} ({self.what}: {self.yardstick})"]
        for row in self.rows:
            low, high = row.spread
            goal = "" if row.goal is None else f"  goal {row.goal:g}"
            notes = "".join(f"  {key} {value}" for key, value in row.notes.items())
            lines.append(
                f"  {row.name:<{width}}  {row.ratio:6.2f}x  ({low:.2f} to {high:.2f})"
                f"  {row.seconds:8.3f} s{goal}{notes}"
            )
        return "\n".join(lines)

    def logged(self) -> list[dict[str, Any]]:
        """Return the rows as the log of figures has them."""
        return [
            {
                "name": row.name,
                "seconds": row.seconds,
                "times": row.ratio,
                "lowest": row.spread[0],
                "highest": row.spread[1],
                **row.notes,
            }
            for row in self.rows
        ]


def in_turn(
    contestants: Mapping[str, Callable[[], Any]],
    yardstick: str,
    rounds: int,
    title: str,
    goals: Mapping[str, float] | None = None,
    warm_up: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Table:
    """Run everything in turn and return how many times as fast as the yardstick each is.

    Args:
        contestants: name → what to run.
        yardstick: the name that the others are compared with.
        rounds: how often each is run and counted.
        title: of the table.
        goals: name → wanted ratio.
        warm_up: whether each is run once before.
        clock: what tells the time.
    """
    names = list(contestants)
    if warm_up:
        for name in names:
            contestants[name]()
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            started = clock()
            contestants[name]()
            times[name].append(clock() - started)
    return Table(title, yardstick, rows_of(times, yardstick, goals))


def rows_of(
    times: Mapping[str, list[float]],
    yardstick: str,
    goals: Mapping[str, float] | None = None,
    notes: Mapping[str, dict[str, Any]] | None = None,
) -> list[Row]:
    """Return a row for each name: the median of its times, and of the rounds' ratios.

    Args:
        times: name → seconds in each round.
        yardstick: the name that the others are compared with.
        goals: name → wanted ratio.
        notes: name → other figures.
    """
    rows = []
    for name, own in times.items():
        ratios = [base / mine for base, mine in zip(times[yardstick], own, strict=True)]
        rows.append(
            Row(
                name,
                statistics.median(own),
                statistics.median(ratios),
                (min(ratios), max(ratios)),
                (goals or {}).get(name),
                (notes or {}).get(name, {}),
            )
        )
    return rows


def machine() -> dict[str, Any]:
    """Return where and when the figures were taken, with the load at that moment."""
    import torch
    import transformers

    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "revision": revision,
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": [round(value, 2) for value in os.getloadavg()],
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
