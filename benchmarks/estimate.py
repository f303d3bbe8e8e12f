"""Estimates against real runs: is the real time in the middle of the range?

python benchmarks/estimate.py DATA                 # ten estimates for each of three sets
python benchmarks/estimate.py DATA --rows 2000 --estimates 1
python benchmarks/estimate.py DATA --log benchmarks/figures.jsonl

DATA holds ``banking77/train.csv`` and ``nlupp/train.jsonl``; the third set has long texts, of 6 to 40 of
these joined. For each set, a run is trained without fine-tuning. An estimate and a real prediction
take turns, each with a newly opened run, and so do an estimate of a training and a training. What
counts is the median, over the turns, of the real time divided by the middle of the range.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figures
import pandas as pd
from measuring import machine

GOAL = 0.25


@dataclass
class Turn:
    """One estimate and the run that it was about.

    Attributes:
        of: the set, and the backend or ``training``.
        low: the least seconds of the estimate.
        high: the most seconds.
        real: the seconds that it took.
        memory: the estimated peak of memory in bytes.
        cost: the seconds that the estimate itself took.
        load: the load of the machine when the turn ended.
    """

    of: str
    low: float
    high: float
    real: float
    memory: int | None
    cost: float
    load: float

    @property
    def ratio(self) -> float:
        """The real time divided by the middle of the range."""
        return self.real / ((self.low + self.high) / 2)

    @property
    def is_inside(self) -> bool:
        """Whether the real time is in the range."""
        return self.low <= self.real <= self.high


def sets(data: Path, rows: int) -> dict[str, tuple[str, pd.DataFrame]]:
    """Return name → the task and the rows of each set, at most ``rows``."""
    banking = pd.read_csv(data / "banking77" / "train.csv").sample(frac=1, random_state=0)
    nlupp = pd.read_json(data / "nlupp" / "train.jsonl", lines=True)[["text", "labels"]]
    rng = random.Random(0)
    pool = [*banking["text"], *nlupp["text"]]
    count = min(rows, 1000) // 2
    joined = [" ".join(rng.choices(pool, k=rng.randint(6, 40))) for _ in range(count)]
    labels = [f"label {number % 5}" for number in range(count)]
    return {
        "banking77": ("classification", banking.head(rows)),
        "nlupp": ("multi-label-classification", nlupp.head(rows)),
        "long texts": ("classification", pd.DataFrame({"text": joined, "label": labels})),
    }


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the seconds that it took."""
    began = time.perf_counter()
    return function(), time.perf_counter() - began


def predictions(run_dir: Path, rows: Path, name: str) -> list[Turn]:
    """Estimate the prediction of a file, and then predict it, with each backend of the run."""
    from clx.ml import training_run

    found, cost = timed(lambda: training_run(load=run_dir).estimate(rows))
    turns = []
    for each in found.backends:
        if each.low is None or each.high is None:
            print(f"{name}: {each.backend} was not measured: {each.problem}", flush=True)
            continue
        run = training_run(load=run_dir)
        run.predict(["to load the model"], backend=each.backend)
        target = rows.with_suffix(".out.parquet")
        predict = run.predict_file
        _, real = timed(
            lambda: predict(rows, target, backend=each.backend, overwrite=True)  # noqa: B023
        )
        of, load = f"{name}, {each.backend}", os.getloadavg()[0]
        turns.append(Turn(of, each.low, each.high, real, each.memory, cost, load))
    return turns


def training(task: str, frame: pd.DataFrame, name: str) -> Turn:
    """Estimate a training, and then train."""
    from clx.ml import training_run

    run = training_run(task, "estimated", training_args={"disable_tqdm": True})
    found, cost = timed(lambda: run.estimate_training(frame, 0.2))
    _, real = timed(lambda: run.train(frame, 0.2, overwrite=True))
    load = os.getloadavg()[0]
    return Turn(f"{name}, training", found.low, found.high, real, found.memory, cost, load)


def logged(turns: list[Turn]) -> list[figures.Row]:
    """Return the figures of each set and backend."""
    rows = []
    for of in dict.fromkeys(turn.of for turn in turns):
        some = [turn for turn in turns if turn.of == of]
        ratios = [turn.ratio for turn in some]
        row = {
            "name": of,
            "seconds": statistics.median(turn.real for turn in some),
            "ratio": statistics.median(ratios),
            "lowest": min(ratios),
            "highest": max(ratios),
            "inside": sum(turn.is_inside for turn in some),
            "estimates": len(some),
        }
        rows.append(row)
    return rows


def table(turns: list[Turn]) -> str:
    """Return one line for each set and backend."""
    lines = [
        f"{'':34} {'real s':>8} {'real / middle':>14} {'spread':>14} {'in range':>9} {'goal':>6}"
    ]
    for row in logged(turns):
        lines.append(
            f"{row['name']:34} {row['seconds']:8.1f} {row['ratio']:14.2f} "
            f"{row['lowest']:6.2f} to {row['highest']:.2f} {row['inside']:5} of {row['estimates']}"
            f" {'met' if abs(row['ratio'] - 1) <= GOAL else 'missed':>6}"
        )
    return "\n".join(lines)


def main() -> None:
    """Read the command line and run what it asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=3000, help="the rows of a set")
    parser.add_argument("--estimates", type=int, default=10, help="how many per set")
    parser.add_argument("--trainings", type=int, default=0, help="how many of the sets' trainings")
    parser.add_argument("--onnx", action="store_true", help="export the runs, and measure that too")
    figures.add_options(parser)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    where = machine()
    print(", ".join(f"{key} {value}" for key, value in where.items()), flush=True)
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOCAL_DATA_DIR"] = folder
        from clx.ml import training_run

        for name, (task, frame) in sets(arguments.data, arguments.rows).items():
            run = training_run(task, name.replace(" ", "-"))
            run.train(frame.head(300), fine_tune=False)
            if arguments.onnx:
                run.export("onnx", texts=frame["text"].head(200))
            rows = Path(folder) / f"{run.run_name}.csv"
            frame[["text"]].to_csv(rows, index=False)
            for _ in range(arguments.estimates):
                turns += predictions(run.run_dir, rows, name)
                print(f"  {turns[-1]}", flush=True)
            for _ in range(arguments.trainings):
                turns.append(training(task, frame.head(1000), name))
                print(f"  {turns[-1]}", flush=True)
    print(table(turns))
    figures.append(arguments, "estimate", logged(turns))


if __name__ == "__main__":
    main()
