"""Kill the workers of a prediction in parts at random, and compare the rows with one process.

    python tests/crash/kill_workers.py --engine ray --rows 100000 --kills 50

With ``ray``, one command has two workers, which it replaces itself. With ``shards``, two processes
have a shard each, and are started again here. In the end, no row may be lost, doubled or changed.
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

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd

from conftest import ANIMALS, FRUIT, fruit_frame, make_tiny_model

PART_ROWS = 500
WORKERS = 2


def prepare(place: Path, rows: int) -> tuple[Path, Path]:
    """Return a trained run and a folder of rows."""
    from clx.ml import training_run

    run = training_run(
        "classification",
        "tiny",
        run_dir_parent=place,
        base_model_name=make_tiny_model(place / "base"),
        training_args={"num_train_epochs": 5, "learning_rate": 5e-3, "disable_tqdm": True},
    )
    run.train(fruit_frame())
    rng = random.Random(0)
    texts = [" ".join(rng.choices(FRUIT + ANIMALS, k=rng.randint(1, 30))) for _ in range(rows)]
    table = pd.DataFrame({"number": range(rows), "text": texts})
    source = place / "rows"
    source.mkdir()
    for number, first in enumerate(range(0, rows, -(-rows // 3))):
        table[first : first + -(-rows // 3)].to_parquet(source / f"{number}.parquet")
    return run.run_dir, source


def command(run: Path, source: Path, parts: Path, *options: str) -> list[str]:
    """Return the command that predicts in parts."""
    size = ["--part-rows", str(PART_ROWS)]
    return [sys.executable, "-m", "clx", "predict", run, source, "-o", f"{parts}/", *size, *options]


def ray_workers(driver: int) -> list[int]:
    """Return the processes of the workers of a driver, which are grandchildren."""
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


class Moments:
    """Random moments at which to kill, spread over the progress, so that all of them come."""

    def __init__(self, parts: Path, count: int, kills: int) -> None:
        self._parts = parts
        self._left = sorted(random.uniform(0, 0.95 * count) for _ in range(kills))
        self.killed = 0

    def come(self) -> bool:
        """Wait a moment; return whether to kill now."""
        time.sleep(random.uniform(0, 0.3))
        return bool(self._left) and len(list(self._parts.glob("done/*.json"))) >= self._left[0]

    def use(self) -> None:
        """Count a kill."""
        self._left.pop(0)
        self.killed += 1


def kill_ray_workers(words: list[str], moments: Moments) -> None:
    """Run the command, and kill its workers."""
    driver = subprocess.Popen([*words, "--engine", "ray", "--workers", str(WORKERS)])
    while driver.poll() is None:
        workers = ray_workers(driver.pid) if moments.come() else []
        if workers:
            os.kill(random.choice(workers), signal.SIGKILL)
            moments.use()
    assert driver.returncode == 0, f"the command ended with {driver.returncode}"


def kill_shards(words: list[str], moments: Moments) -> None:
    """Run one process per shard, and kill and restart them."""

    def start(number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*words, "--shard", f"{number + 1}/{WORKERS}"])

    processes = {number: start(number) for number in range(WORKERS)}
    while processes:
        if moments.come():
            random.choice(list(processes.values())).kill()
            moments.use()
        for number, process in list(processes.items()):
            if process.poll() == -signal.SIGKILL:
                processes[number] = start(number)
            elif process.poll() is not None:
                assert process.returncode == 0, f"a shard ended with {process.returncode}"
                del processes[number]


def main() -> None:
    """Kill workers, and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", choices=["ray", "shards"], default="ray")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory(prefix="clx-kills-") as folder:
        place = Path(folder)
        run, source = prepare(place, options.rows)
        subprocess.run(command(run, source, place / "alone"), check=True)
        began = time.monotonic()
        kill = kill_ray_workers if options.engine == "ray" else kill_shards
        count = options.rows // PART_ROWS
        moments = Moments(place / "parts", count, options.kills)
        kill(command(run, source, place / "parts"), moments)
        seconds = time.monotonic() - began
        tables = []
        for name in ("alone", "parts"):
            target = place / f"{name}.parquet"
            join = ["clx", "predict", "--join", place / name, "-o", target]
            subprocess.run([sys.executable, "-m", *join], check=True)
            tables.append(pd.read_parquet(target))
    expected, found = tables
    assert list(found["number"]) == list(range(options.rows)), "rows were lost or doubled"
    pd.testing.assert_frame_equal(found, expected, atol=1e-5)
    print(f"{options.engine}: {moments.killed} kills in {seconds:.0f} s, {options.rows} rows equal")
    assert moments.killed == options.kills, "the prediction ended before the kills"


if __name__ == "__main__":
    main()
