"""What the names of labels are worth to the probe, as one example each; on dev parts.

    python benchmarks/quality/label_names.py DATA [--sets banking77 r8 nlupp 20news]

DATA is the folder with banking77 and nlupp. Rows are drawn three times. A line has the accuracy
(micro-F1 at 0.5) of the three ways, their log losses, and for two of them the number of draws in which
the loss on held-out rows lets the names in. "Wrong names" gives each label the name of another.
"""

from __future__ import annotations

import argparse
import os
import statistics
import warnings
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pandas as pd
import torch
from frozen import frozen, score

import data
from clx.ml.model.head.fit_probe import ALMOST
from clx.ml.model.head.label_texts import name_as_text
from clx.ml.model.head.probe import Examples, fit_head, mean_loss
from clx.ml.model.head.validation import choose_c

DRAWS = 3
POOL = 3000
"""Rows that the draws are made from at most."""


def main() -> None:
    """Print one line per set and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--sets", nargs="+", default=["banking77", "r8", "nlupp", "20news"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.sets:
        train, dev = data.load(name, arguments.data, arguments.cache)
        train = train.head(POOL)
        column = "label" if name in data.SINGLE else "labels"
        names = data.label_names(train)
        dev = dev[[set([row] if column == "label" else row) <= set(names) for row in dev[column]]]
        of_names = pd.DataFrame({"text": [name_as_text(label) for label in names]})
        of_names[column] = names if column == "label" else [[label] for label in names]
        measure(name, names, train, dev, of_names)


def measure(
    name: str, names: list[str], train: pd.DataFrame, dev: pd.DataFrame, of_names: pd.DataFrame
) -> None:
    """Print the lines of one set."""
    frame = pd.concat([train, dev, of_names], ignore_index=True)
    made = frozen(data.task(name), frame, names)
    end = len(train) + len(dev)
    every = torch.arange(len(frame))
    held_out = made.examples.select(every[len(train) : end])
    right = made.examples.select(every[end:])
    ways: dict[str, Examples | None] = {
        "rows alone": None,
        "names": right,
        "wrong names": replace(right, features=right.features.roll(1, dims=0)),
    }
    where = pd.Series(range(len(train)), index=train["text"])
    for a_label in (4, 8, 16, 32):
        scores: dict[str, list[float]] = {way: [] for way in ways}
        losses: dict[str, list[float]] = {way: [] for way in ways}
        taken = dict.fromkeys(ways, 0)
        for seed in range(DRAWS):
            rows = where[data.few(train, a_label, seed)["text"]].tolist()
            known = made.examples.select(torch.tensor(rows))
            choices = {way: choose_c(known, extra_examples=extra) for way, extra in ways.items()}
            for way, choice in choices.items():
                head = fit_head(known.joined(ways[way]), choice.C)
                scores[way].append(score(head(held_out.features), held_out.targets))
                losses[way].append(mean_loss(head, held_out))
                taken[way] += choice.lowest <= ALMOST * choices["rows alone"].lowest
        cells = [f"{statistics.mean(each[way]):.3f}" for each in (scores, losses) for way in ways]
        cells += [f"{taken[way]} of {DRAWS}" for way in ways if ways[way] is not None]
        print(f"| {name} | {a_label} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
