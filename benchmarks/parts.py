"""Predict many rows as one file, by two shards, and by two workers of Ray: equal, and at which cost?

python benchmarks/parts.py [--rows 1000000] [--rounds 3]

Each way runs in processes of its own with one thread per process, in turn. ``overhead`` is how much
more time two workers take than half of the time of one process, ``cpu`` the same in seconds of
processor time, which other programs on the machine hardly change (without that of Ray, whose workers are
not children of ours). ``memory`` is the largest resident set of a process that predicts: compare that of
few rows and of many.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import figures
import numpy as np
import pandas as pd
import psutil

from clx.batch import join_parts
from clx.ml import training_run
from clx.testing import make_tiny_model

WORDS = ["apple", "cat", "pear", "dog", "and", "the", "big", "red", "small", "horse", "lemon"]
ONE = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}
FILE = (
    "import sys; from clx.ml import training_run;"
    "training_run(load=sys.argv[1]).predict_file(*sys.argv[2:4], on_error='skip')"
)
SHARD = "import sys; from clx.batch import predict_parts; predict_parts(*sys.argv[1:5])"
RAY = (
    "import sys; from clx.batch import predict_parts;"
    "predict_parts(*sys.argv[1:4], engine='ray', workers=2)"
)


def main() -> None:
    """Print the rows per second of each way, and compare what they wrote."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    figures.add_options(parser)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, source = prepared(Path(folder), given.rows)
        found = defaultdict(list)
        for number in range(given.rounds):
            out = Path(folder, str(number))
            out.mkdir()
            ways = {
                "predict_file": [[FILE, run, source, out / "whole.parquet"]],
                "2 shards": [[SHARD, run, source, out / "shards", f"{n}/2"] for n in (1, 2)],
                "Ray, 2 workers": [[RAY, run, source, out / "ray"]],
            }
            for name, commands in ways.items():
                worker = "ray::" if name.startswith("Ray") else sys.executable
                found[name].append(timed(commands, worker))
            compare(out, given.rows)
        rows = rows_of(found, given.rows)
        show(rows)
        figures.append(given, "parts", rows)


def prepared(folder: Path, rows: int) -> tuple[Path, Path]:
    """Return a trained run and a file of texts."""
    rng = random.Random(0)
    tiny = make_tiny_model(folder / "tiny", WORDS)
    texts = [f"{' '.join(rng.choices(WORDS, k=rng.randint(1, 12)))} {n}" for n in range(rows)]
    run = training_run("classification", "tiny", base_model_name=tiny, run_dir_parent=folder)
    run.train(pd.DataFrame({"text": texts[:200], "label": ["a", "b"] * 100}), fine_tune=False)
    pd.DataFrame({"id": range(rows), "text": texts}).to_parquet(folder / "texts.parquet")
    return run.run_dir, folder / "texts.parquet"


def timed(commands: list[list], worker: str) -> tuple[float, float, float]:
    """Run processes at once; return seconds, processor seconds, and the largest worker's MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", *map(str, command)],
            env={**os.environ, **ONE},
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    largest = 0
    while any(each.poll() is None for each in started):
        largest = max([largest, *resident(started, worker)])
        time.sleep(0.5)
    seconds = time.monotonic() - began
    if any(each.returncode for each in started):
        raise SystemExit(f"failed: {commands}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu, largest / 1e6


def resident(started: list[subprocess.Popen], worker: str) -> list[int]:
    """Return the resident bytes of the processes whose command line holds a word."""
    found = []
    for each in started:
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(each.pid)
            for process in (family, *family.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    if worker in " ".join(process.cmdline()):
                        found.append(process.memory_info().rss)
    return found


def compare(out: Path, rows: int) -> None:
    """Raise unless the three outputs are equal."""
    whole = pd.read_parquet(out / "whole.parquet")
    for name in ("shards", "ray"):
        joined = pd.read_parquet(join_parts(out / name, out / f"{name}.parquet"))
        assert len(joined) == rows
        assert joined["id"].tolist() == whole["id"].tolist(), f"{name}: rows lost or moved"
        different = int((joined["label"] != whole["label"]).sum())
        largest = float(np.abs(joined["score"] - whole["score"]).max())
        assert largest < 1e-5, f"{name}: {largest}"
        print(f"{name}: {different} labels differ, largest difference of a score {largest:.1e}")


def rows_of(found: dict[str, list[tuple[float, float, float]]], rows: int) -> list[figures.Row]:
    """Return the medians of each way."""
    base, base_cpu, _ = (
        statistics.median(each) for each in zip(*found["predict_file"], strict=True)
    )
    made = []
    for name, values in found.items():
        seconds, cpu, memory = (statistics.median(each) for each in zip(*values, strict=True))
        workers = 1 if name == "predict_file" else 2
        row = {
            "name": name,
            "seconds": seconds,
            "rows per second": rows / seconds,
            "overhead %": 100 * (workers * seconds / base - 1),
            "CPU seconds": cpu,
            "CPU overhead %": 100 * (cpu / base_cpu - 1),
            "MB": memory,
        }
        made.append(row)
    return made


def show(rows: list[figures.Row]) -> None:
    """Print the medians."""
    print(" | ".join(rows[0]))
    for row in rows:
        print(" | ".join(f"{value:,.1f}" if key != "name" else value for key, value in row.items()))


if __name__ == "__main__":
    main()
