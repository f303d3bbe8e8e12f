"""Kill Ray's workers during a prediction in parts, and compare the result with one process.

python benchmarks/kill_ray.py [--rows 100000] [--kills 50]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from kill_shards import prepared

from clx.batch import join_parts, predict_parts


def workers_of(driver: int) -> list[int]:
    """Return the processes of the workers of a driver, which are its grandchildren."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(words[1])
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [
        process
        for process, parent in parents.items()
        if parents.get(parent) == driver and names[process].startswith(b"ray::Worker")
    ]


def kill_workers(driver: subprocess.Popen, parts: Path, count: int, kills: int) -> int:
    """Kill workers until the command ends, at moments that are spread over its progress."""
    left = sorted(random.uniform(0, 0.95 * count) for _ in range(kills))
    while driver.poll() is None:
        time.sleep(random.uniform(0, 0.3))
        comes = left and len(list(parts.glob("done/*.json"))) >= left[0]
        workers = workers_of(driver.pid) if comes else []
        if workers:
            os.kill(random.choice(workers), signal.SIGKILL)
            left.pop(0)
    return kills - len(left)


def main() -> None:
    """Train a tiny model, kill the workers, and compare the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--part-rows", type=int, default=512)
    given = parser.parse_args()
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        run, source = prepared(Path(folder), given.rows, random.Random(0))
        parts = Path(folder, "parts")
        command = [sys.executable, "-m", "clx", "predict", run.run_dir, source, "-o", f"{parts}/"]
        command += ["--part-rows", str(given.part_rows), "--on-error", "skip"]
        began = time.monotonic()
        driver = subprocess.Popen([*map(str, command), "--engine", "ray", "--workers", "2"])
        killed = kill_workers(driver, parts, given.rows // given.part_rows, given.kills)
        seconds = time.monotonic() - began
        assert driver.returncode == 0, f"the command ended with {driver.returncode}"
        found = pd.read_parquet(join_parts(parts, Path(folder, "joined.parquet")))
        alone = Path(folder, "alone")
        predict_parts(run, source, alone, part_rows=given.part_rows)
        expected = pd.read_parquet(join_parts(alone, Path(folder, "alone.parquet")))
        assert found["id"].tolist() == list(range(given.rows)), "rows lost, doubled or moved"
        pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-5)
    print(f"{killed} kills, {given.rows} rows in {seconds:.0f} s: no row lost, doubled or changed")


if __name__ == "__main__":
    main()
