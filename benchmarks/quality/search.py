"""Search for defaults: one factor at a time around a centre, on dev parts of six data sets.

Every finished trial is a line of ``trials.jsonl``; a trial that is there is not made again, so that
the search can be broken off and continued:

    python benchmarks/quality/search.py DATA --until 22:40

DATA is the folder with banking77 and nlupp. ``table.py`` makes a table of what there is.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

import data
from clx.ml import training_run

TRIALS = Path(__file__).with_name("trials.jsonl")

CENTRE: dict[str, Any] = {
    "learning_rate": 1e-4,
    "num_train_epochs": 4,
    "per_device_train_batch_size": 16,
    "warmup_ratio": 0.1,
    "lr_scheduler_type": "linear",
    "weight_decay": 0.01,
    "label_smoothing_factor": 0.0,
}
"""What each factor is varied around; ``head_init`` probe, ``pooling`` auto, nothing calibrated."""

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}

VARIANTS: dict[str, dict[str, Any]] = {
    "probe": {"fine_tune": False},
    "centre": {},
    "lr 2e-4": {"learning_rate": 2e-4},
    "lr 5e-5": {"learning_rate": 5e-5},
    "epochs 10": {"num_train_epochs": 10},
    "batch 8": {"per_device_train_batch_size": 8},
    "batch 32": {"per_device_train_batch_size": 32},
    "smoothing 0.1": {"label_smoothing_factor": 0.1},
    "random head": {"head_init": "random"},
    "epochs 2": {"num_train_epochs": 2},
    "cosine": {"lr_scheduler_type": "cosine"},
    "warm-up 0": {"warmup_ratio": 0.0},
    "decay 0.1": {"weight_decay": 0.1},
    "dropout 0": {"model_args": NO_DROPOUT},
    "own pooling": {"pooling": "model"},
    "epochs 20": {"num_train_epochs": 20},
    "epochs 10, lr 2e-4": {"num_train_epochs": 10, "learning_rate": 2e-4},
}
FINALISTS: dict[str, dict[str, Any]] = {
    "all: probe": {"fine_tune": False},
    "all: 3 epochs 1e-4": {"num_train_epochs": 3},
    "all: 3 epochs 2e-4": {"num_train_epochs": 3, "learning_rate": 2e-4},
}

AT_64 = ("probe", "centre", "lr 2e-4", "lr 5e-5", "epochs 2")
"""More would take hours: the 64 rows of a label are four thousand steps of ten epochs."""

SETS = ("nlupp", "r8", "banking77", "20news", "20news-hierarchy", "r52")
THREE = SETS[:3]
"""For what matters less: several labels a row, few labels and long texts, many labels."""


def plan() -> Iterator[dict[str, Any]]:
    """Yield the trials, the most informative first."""
    names = list(VARIANTS)
    for variant in names[:5]:
        yield from (trial(name, 8, variant) for name in SETS)
    for variant in names[5:]:
        # transformers' label smoother takes label ids: several labels a row have none.
        several = variant != "smoothing 0.1"
        yield from (trial(name, 8, variant) for name in THREE if several or name in data.SINGLE)
    for variant in AT_64:
        yield from (trial(name, 64, variant) for name in THREE)
    for name in ("banking77", "r8"):
        yield from (trial(name, None, variant) for variant in FINALISTS)


def trial(name: str, a_label: int | None, variant: str, seed: int = 0) -> dict[str, Any]:
    """Return what names a trial."""
    return {"data": name, "a_label": a_label, "variant": variant, "seed": seed}


def finished(trials: Path = TRIALS) -> list[dict[str, Any]]:
    """Return the trials that are in the file."""
    if not trials.is_file():
        return []
    return [json.loads(line) for line in trials.read_text(encoding="utf-8").splitlines()]


def make(what: dict[str, Any], given: Path, cache: Path) -> dict[str, Any]:
    """Train and evaluate on dev; return the metrics."""
    train, dev = data.load(what["data"], given, cache)
    rows = data.few(train, what["a_label"], what["seed"])
    changed = dict({**VARIANTS, **FINALISTS}[what["variant"]])
    fine_tune = changed.pop("fine_tune", True)
    options = {
        key: changed.pop(key) for key in ("head_init", "pooling", "model_args") if key in changed
    }
    arguments = {**CENTRE, **changed, "seed": what["seed"] + 42, "disable_tqdm": True}
    with tempfile.TemporaryDirectory() as folder:
        run = training_run(
            data.task(what["data"]),
            "trial",
            run_dir_parent=folder,
            label_names=data.label_names(train),
            tokenize_args={"max_length": data.CUT},
            training_args=arguments,
            # What names are worth is another question, and ``label_names.py`` asks it.
            label_texts=None,
            **options,
        )
        begun = time.monotonic()
        result = run.train(rows, fine_tune=fine_tune)
        seconds = time.monotonic() - begun
        metrics = run.evaluate(dev).metrics
    wanted = ("accuracy", "f1_micro", "f1_macro", "subset_accuracy", "log_loss", "ece")
    return {
        **what,
        "rows": len(rows),
        "dev_rows": len(dev),
        "steps": result.steps,
        "seconds": round(seconds, 1),
        **{key: round(metrics[key], 4) for key in wanted if key in metrics},
    }


def next_time(clock: str) -> datetime:
    """Return when it is HH:MM next, today or tomorrow."""
    now = datetime.now()
    hour, minute = map(int, clock.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def main() -> None:
    """Make the trials that are missing, until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--until", help="HH:MM, when no further trial is begun")
    parser.add_argument("--trials", type=Path, default=TRIALS, help="the file of finished trials")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    done = {json.dumps({k: t[k] for k in trial("", 0, "")}) for t in finished(arguments.trials)}
    end = None if arguments.until is None else next_time(arguments.until)
    for what in plan():
        if end is not None and datetime.now() >= end:
            return
        if json.dumps(what) in done:
            continue
        line = make(what, arguments.data, arguments.cache)
        with arguments.trials.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


if __name__ == "__main__":
    main()
