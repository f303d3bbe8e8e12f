"""Kill workers of a prediction in parts at random moments, and compare the result with one process.

python benchmarks/kill_shards.py [--rows 100000] [--kills 50]
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from clx.batch import join_parts, parts_status, predict_parts
from clx.ml import training_run
from clx.testing import make_tiny_model

WORDS = ["apple", "cat", "pear", "dog", "and", "the", "big", "red", "small", "horse", "lemon"]
WORKER = (
    "import sys; from clx.batch import predict_parts;"
    "predict_parts(*sys.argv[1:5], part_rows=int(sys.argv[5]))"
)


def main() -> None:
    """Train a tiny model, kill its workers, and print what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--part-rows", type=int, default=512)
    given = parser.parse_args()
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        run, source = prepared(Path(folder), given.rows, rng)
        out = Path(folder, "out")
        kills, began = 0, time.monotonic()
        while kills < given.kills:
            workers = [start(run.run_dir, source, out, n, given.part_rows) for n in (1, 2)]
            wait_for_work(out, workers)
            time.sleep(rng.random() * 2)
            alive = [each for each in workers if each.poll() is None]
            for each in alive:
                each.kill()
            for each in workers:
                each.wait()
            kills += len(alive)
            done = parts_status(out) if (out / "plan.json").exists() else None
            print(f"{kills} kills, {done.done if done else 0} parts done", flush=True)
            if not alive:
                # All is done before the last kill: take some of it away again.
                for path in rng.sample(sorted((out / "done").iterdir()), k=20):
                    path.unlink()
        status = predict_parts(run, source, out, part_rows=given.part_rows)
        found = pd.read_parquet(join_parts(out, Path(folder, "joined.parquet")))
        whole = run.predict_file(source, Path(folder, "whole.parquet"), on_error="skip")
        expected = pd.read_parquet(whole)
        assert found["id"].tolist() == expected["id"].tolist(), "rows lost, doubled or moved"
        assert found["label"].tolist() == expected["label"].tolist(), "labels changed"
        largest = float(np.abs(found["score"] - expected["score"]).max())
        print(
            f"{kills} kills of {status.parts} parts with {status.rows} rows in "
            f"{time.monotonic() - began:.0f} s: no row lost, doubled or changed; largest difference "
            f"of a score {largest:.1e}"
        )


def wait_for_work(out: Path, workers: list[subprocess.Popen]) -> None:
    """Wait until a part was finished, so that a kill does not only hit workers that still load."""
    began, until = len(list(out.glob("done/*"))), time.monotonic() + 300
    while len(list(out.glob("done/*"))) <= began and time.monotonic() < until:
        if all(each.poll() is not None for each in workers):
            return
        time.sleep(0.05)


def prepared(folder: Path, rows: int, rng: random.Random) -> tuple:
    """Return a trained run and a file of texts."""
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(rows)]
    tiny = make_tiny_model(folder / "tiny", WORDS)
    run = training_run("classification", "tiny", base_model_name=tiny, run_dir_parent=folder)
    labels = pd.DataFrame({"text": texts[:200], "label": ["a", "b"] * 100})
    run.train(labels, fine_tune=False)
    source = folder / "texts.parquet"
    pd.DataFrame({"id": range(rows), "text": texts}).to_parquet(source)
    return run, source


def start(run: Path, source: Path, out: Path, number: int, part_rows: int) -> subprocess.Popen:
    """Start a worker for one of two shards."""
    arguments = [run, source, out, f"{number}/2", part_rows]
    command = [sys.executable, "-W", "ignore", "-c", WORKER, *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
