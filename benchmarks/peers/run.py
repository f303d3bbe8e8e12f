"""Compare clx with what its users would otherwise take, on the same weights, rows and threads.

Every finished trial is a line of ``trials.jsonl``; a trial that is there is not made again, so that the
comparison can be broken off and continued:

    python benchmarks/peers/run.py DATA --cache .benchmarks --until 22:40

DATA is the folder with banking77, nlupp and agnews; of what is not there no trials are made.
Environments that are missing are made first.
``table.py`` makes the tables.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import scoring
import sets
from contenders import CONTENDERS
from environments import python_of
from plan import SEEDS, SIZES, Trial, plan, size_of

TRIALS = Path(__file__).with_name("trials.jsonl")
ON_GPU = TRIALS.with_stem("trials-gpu")
"""A file for ``--trials``, which the tables take for what is not in the other one."""
ONE_SEED_FROM_S = 600
"""A contender that took longer on the first seed is not run on the others."""


def finished(trials: Path = TRIALS) -> dict[Trial, dict[str, Any]]:
    """Return the trials that are in the file; of one that is there twice, the last line."""
    if not trials.is_file():
        return {}
    lines = [json.loads(line) for line in trials.read_text(encoding="utf-8").splitlines()]
    return {Trial(*(line[key] for key in Trial._fields)): line for line in lines}


def one_seed_is_enough(trial: Trial, done: dict[Trial, dict[str, Any]]) -> bool:
    """Whether the first seed of the same trial took so long that others are left out."""
    first = done.get(trial._replace(seed=0))
    return trial.seed > 0 and first is not None and first["seconds"] > ONE_SEED_FROM_S


def environment(threads: int, device: str) -> dict[str, str]:
    """Return the variables of a contender's process: threads, no network, no telemetry."""
    counts = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "RAYON")
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return kept | {
        **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
        **{f"{name}_NUM_THREADS": str(threads) for name in counts},
        "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false",
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
    }


def make(
    trial: Trial,
    given: Path,
    cache: Path,
    threads: int,
    longest_s: float,
    test_rows: int,
    machine: str,
    device: str,
    python: Path | None,
) -> dict[str, Any]:
    """Run a contender in a folder of its own and score its predictions.

    Returns:
        The line for ``trials.jsonl``. What went wrong, or that the time was up, is under ``failed``.
    """
    contender = CONTENDERS[trial.contender]
    python = python or python_of(contender.environment, cache)
    train = sets.train_rows(trial.data, trial.a_label, trial.seed, given, cache)
    test = sets.test_rows(trial.data, given, cache).head(test_rows)
    line: dict[str, Any] = {
        **trial._asdict(),
        "rows": len(train),
        "test_rows": len(test),
        "machine": machine,
        "threads": threads,
        "load_before": round(os.getloadavg()[0], 2),
    }
    with tempfile.TemporaryDirectory(prefix="peer-") as name:
        folder = Path(name)
        job = {
            "train": str(folder / "train.jsonl"),
            "test": str(folder / "test.jsonl"),
            "predictions": str(folder / "predictions.jsonl"),
            "multi_label": trial.data in sets.MULTI_LABEL,
            "max_length": sets.CUT.get(trial.data) if contender.cut else None,
            "seed": trial.seed + 42,
            "device": device,
            "options": contender.options,
        }
        train.to_json(job["train"], orient="records", lines=True)
        test[["text"]].to_json(job["test"], orient="records", lines=True)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        begun = time.perf_counter()
        said = _run(
            [str(python), str(contender.path)], folder, environment(threads, device), longest_s
        )
        whole = time.perf_counter() - begun
        if "failed" in said:
            return {**line, "seconds": round(whole, 2), "failed": said["failed"]}
        text = Path(said["predictions"]).read_text(encoding="utf-8")
        predicted = [json.loads(row) for row in text.splitlines()]
    several = trial.data in sets.MULTI_LABEL
    score = scoring.micro_f1 if several else scoring.accuracy
    return {
        **line,
        "score": round(score(test["label"].tolist(), predicted), 4),
        "seconds": said["seconds"],
        "train_seconds": said["train_seconds"],
        # Starting Python, imports, reading and writing rows: not counted, but told.
        "other_seconds": round(whole - said["seconds"], 2),
        "versions": said["versions"],
    }


def _run(
    command: list[str], folder: Path, variables: dict[str, str], longest_s: float
) -> dict[str, Any]:
    """Run a script on ``job.json`` and return what it said, or ``{"failed": why}``."""
    output, errors = folder / "stdout.txt", folder / "stderr.txt"
    with output.open("w", encoding="utf-8") as out, errors.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, "job.json"],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )
        try:
            status = process.wait(longest_s)
        except subprocess.TimeoutExpired:
            return {"failed": f"not finished after {longest_s / 60:.0f} minutes"}
        finally:
            if process.poll() is None:
                # With whatever processes it started.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status:
        last = errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return {"failed": (last or [f"exit status {status}"])[0][:300]}
    return dict(json.loads(output.read_text(encoding="utf-8").strip().splitlines()[-1]))


def main() -> None:
    """Make the trials that are missing, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="the folder with banking77, nlupp, agnews")
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--trials", type=Path, default=TRIALS, help="the file of finished trials")
    parser.add_argument(
        "--until", help="HH:MM of today or tomorrow: no further trial is begun then"
    )
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="NAME")
    parser.add_argument("--sets", nargs="+", choices=sets.SETS, metavar="SET")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, metavar="SIZE", help=", ".join(SIZES))
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, metavar="SEED")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    parser.add_argument(
        "--machine", default="1", metavar="NAME", help="times are compared within one"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--python",
        type=Path,
        help="has all packages: no environments are made, versions may differ",
    )
    parser.add_argument("--longest", type=float, default=60, metavar="MINUTES", help="of one trial")
    parser.add_argument("--most", type=int, help="stop after so many trials")
    parser.add_argument(
        "--test-rows", type=int, default=sets.TEST_ROWS, help="fewer, to see whether all runs"
    )
    parser.add_argument("--retry", action="store_true", help="make failed trials again")
    parser.add_argument(
        "--all-seeds", action="store_true", help="also of contenders that take ten minutes"
    )
    parser.add_argument("--list", action="store_true", help="only say which trials are missing")
    arguments = parser.parse_args()
    stop = _moment(arguments.until) if arguments.until else None
    done = finished(arguments.trials)
    made = 0
    for trial in plan():
        chosen = zip(
            (trial.contender, trial.data, size_of(trial), trial.seed),
            (arguments.only, arguments.sets, arguments.sizes, arguments.seeds),
            strict=True,
        )
        if any(wanted and value not in wanted for value, wanted in chosen):
            continue
        if trial.data in sets.GIVEN and not (arguments.data / trial.data).is_dir():
            continue
        if trial in done and not (arguments.retry and "failed" in done[trial]):
            continue
        if not arguments.all_seeds and one_seed_is_enough(trial, done):
            continue
        if arguments.list:
            print(*trial)
            continue
        if (stop is not None and datetime.now() >= stop) or made == arguments.most:
            return
        line = make(
            trial,
            arguments.data,
            arguments.cache,
            arguments.threads,
            arguments.longest * 60,
            arguments.test_rows,
            arguments.machine,
            arguments.device,
            arguments.python,
        )
        with arguments.trials.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        done[trial] = line
        made += 1
        print(line, flush=True)


def _moment(until: str) -> datetime:
    """Return the next time that the clock shows HH:MM."""
    now = datetime.now()
    hour, minute = map(int, until.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return moment if moment > now else moment + timedelta(days=1)


if __name__ == "__main__":
    main()
