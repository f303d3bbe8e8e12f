"""Print the tables of finished trials as Markdown: ``python benchmarks/peers/table.py > tables.md``.

For each size, one table has the scores and one the seconds of training. A score is the mean over
seeds, with ± their sample standard deviation if there are several. "-" means that there is no trial.
Seconds can be compared within one machine only, so each machine has its own line. If a trial ran on a
GPU too, its score on the CPU is shown.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from contenders import CONTENDERS
from plan import MIDDLE, Trial, plan
from sets import MULTI_LABEL, SETS, SMALL, TITLES

import run

SIZES = {
    "8 rows per label (Banking77: 10)": SMALL,
    f"{MIDDLE} rows per label": dict.fromkeys(SETS, MIDDLE),
    "all rows": dict.fromkeys(SETS, None),
}
"""For each size, the rows per label of each set."""

MACHINES = ("2", "1", "3", "4", "5", "H100")
"""Machines in order of preference: two contenders are compared on the first that both have."""

NONE = "-"

Done = dict[Trial, dict[str, Any]]


def lines_of(done: Done, who: str, name: str, a_label: int | None) -> list[dict[str, Any]]:
    """Return the finished trials of all seeds."""
    found = (done.get(trial) for trial in plan() if trial[:3] == (who, name, a_label))
    return [line for line in found if line is not None]


def score_cell(lines: Sequence[dict[str, Any]]) -> str:
    """Return mean ± spread, or why there is none."""
    good = [line for line in lines if "score" in line]
    failed = [line["failed"] for line in lines if "failed" in line]
    if not good:
        return NONE if not failed else failed[0] if "not finished" in failed[0] else "failed"
    spread = f" ± {statistics.stdev(line['score'] for line in good):.3f}" if len(good) > 1 else ""
    missed = f", {len(failed)} failed" if failed else ""
    return f"{_score(good):.3f}{spread}{missed}"


def size_tables(done: Done, title: str, sizes: dict[str, int | None]) -> list[str]:
    """Return the Markdown of one size: the scores, then the seconds of training."""
    names = [
        name for name in SETS if any(lines_of(done, who, name, sizes[name]) for who in CONTENDERS)
    ]
    if not names:
        return []
    heads = [
        f"{TITLES[name]}, {_rows(done, name, sizes[name])} rows"
        + (" (micro-F1)" if name in MULTI_LABEL else "")
        for name in names
    ]
    scores = ["", f"| {title} | {' | '.join(heads)} |", f"|---|{'---|' * len(names)}"]
    titles = " | ".join(TITLES[name] for name in names)
    seconds = [
        "",
        f"| seconds of training | machine | {titles} |",
        f"|---|---|{'---|' * len(names)}",
    ]
    for who, contender in CONTENDERS.items():
        cells = [score_cell(lines_of(done, who, name, sizes[name])) for name in names]
        if set(cells) != {NONE}:
            scores.append(f"| {contender.title} | {' | '.join(cells)} |")
        good = {name: _good(done, who, name, sizes[name]) for name in names}
        for machine in _machines([line for lines in good.values() for line in lines]):
            times = [_time(good[name], machine) for name in names]
            seconds.append(f"| {contender.title} | {machine} | {' | '.join(times)} |")
    return [*scores, *seconds]


def _time(lines: Sequence[dict[str, Any]], machine: str) -> str:
    if machine not in {line["machine"] for line in lines}:
        return NONE
    seconds = _seconds(lines, machine).training
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"


def _rows(done: Done, name: str, a_label: int | None) -> str:
    counts = [line["rows"] for t, line in done.items() if t.data == name and t.a_label == a_label]
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def distances(done: Done, who: str = "clx") -> list[str]:
    """Return the Markdown of how ``who`` differs from each other contender, size by size.

    Each set that both have counts once: the mean and the smallest of the differences in points, and
    the geometric means of the ratios of their seconds. Only seconds of one machine are compared.
    """
    table = []
    for title, sizes in SIZES.items():
        for other, contender in CONTENDERS.items():
            points, training, whole = [], [], []
            for name in SETS:
                own, others = (_good(done, each, name, sizes[name]) for each in (who, other))
                if other == who or not own or not others:
                    continue
                points.append(100 * (_score(own) - _score(others)))
                common = [each for each in _machines(own) if each in _machines(others)]
                if common:
                    ours, theirs = (_seconds(lines, common[0]) for lines in (own, others))
                    training.append(ours.training / theirs.training)
                    whole.append(ours.whole / theirs.whole)
            if points:
                table.append(
                    f"| {title} | {contender.title} | {len(points)} | "
                    f"{statistics.mean(points):+.1f} | {min(points):+.1f} | {len(training)} | "
                    f"{_ratio(training)} | {_ratio(whole)} |"
                )
    head = [
        "",
        "| size | clx against | sets | points, mean | points, worst set | sets timed | "
        "ratio of training times | ratio with prediction |",
    ]
    return [*head, "|---|---|---|---|---|---|---|---|", *table] if table else []


class Seconds(NamedTuple):
    """Means over seeds: of training, and of everything."""

    training: float
    whole: float


def _good(done: Done, who: str, name: str, a_label: int | None) -> list[dict[str, Any]]:
    return [line for line in lines_of(done, who, name, a_label) if "score" in line]


def _score(lines: Sequence[dict[str, Any]]) -> float:
    return statistics.mean(line["score"] for line in lines)


def _machines(lines: Sequence[dict[str, Any]]) -> list[str]:
    names = {line["machine"] for line in lines}
    return [*(name for name in MACHINES if name in names), *sorted(names - set(MACHINES))]


def _seconds(lines: Sequence[dict[str, Any]], machine: str) -> Seconds:
    """Return the times on one machine."""
    of_machine = [line for line in lines if line["machine"] == machine]
    means = (
        statistics.mean(line[key] for line in of_machine) for key in ("train_seconds", "seconds")
    )
    # Times are rounded to a hundredth of a second, and some are less.
    return Seconds(*(max(each, 0.01) for each in means))


def _ratio(ratios: Sequence[float]) -> str:
    return f"{statistics.geometric_mean(ratios):.2f}" if ratios else NONE


def notes(done: Done) -> list[str]:
    """Return what is missing or failed, and the versions of packages."""
    missing = [t for t in plan() if t not in done and not run.one_seed_is_enough(t, done)]
    made = [f"{len(done)} trials are finished or failed; {len(missing)} planned ones are missing."]
    failed = [
        f"- {CONTENDERS[t.contender].title}, {TITLES[t.data]}, {t.a_label or 'all'} rows per label, "
        f"seed {t.seed}: {line['failed']}"
        for t, line in done.items()
        if "failed" in line
    ]
    versions = {
        CONTENDERS[t.contender].environment: ", ".join(
            f"{package} {version}" for package, version in line["versions"].items()
        )
        for t, line in done.items()
        if "versions" in line
    }
    threads = sorted({line["threads"] for line in done.values()})
    used = [f"- {name}: {listed}" for name, listed in sorted(versions.items())]
    return ["", *made, f"Threads: {', '.join(map(str, threads))}.", "", *failed, "", *used]


def main() -> None:
    """Print the tables of each size, the distances and the notes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=Path, nargs="+", default=[run.TRIALS, run.ON_GPU])
    done: Done = {}
    for file in parser.parse_args().trials:
        done = run.finished(file) | done
    tables = [size_tables(done, title, sizes) for title, sizes in SIZES.items()]
    lines = [line for table in (*tables, distances(done), notes(done)) for line in table]
    print("\n".join(lines).strip())


if __name__ == "__main__":
    main()
