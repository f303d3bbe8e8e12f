"""How far above the lowest loss a probe's ``C`` may be chosen, a smaller one being more careful.

    python benchmarks/quality/strength.py DATA [--sets banking77 r8 nlupp 20news] [--weak]

The head alone, on rows of the training parts; judged by accuracy (micro-F1 at 0.5 with several labels,
R² of numbers, against the drawn rows' mean) and log-loss (square error) on at most 4,000 of the rows
that were not drawn. "all" trains on four fifths. DATA is the folder with banking77 and nlupp; features
are kept in the cache. "fixed" is scikit-learn's default, for comparison. ``--weak`` measures the sets of
``weak.py`` instead, also with smaller ``C`` than clx tries ("from 0.01"); DATA is not read then.
"""

from __future__ import annotations

import argparse
import os
import statistics
import warnings
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pandas as pd
import torch
import weak
from frozen import frozen, score
from torch import Tensor

import data
from clx.ml.model.head.probe import Examples, Kind, fit_head, mean_loss
from clx.ml.model.head.validation import C_VALUES, choose_c, smallest_within

DRAWS = {4: 5, 8: 5, 32: 3, 64: 2, None: 1}
"""By rows per label: how often they are drawn."""

WEAK_DRAWS = {32: 5, 128: 5, 512: 3, 2000: 2, None: 1}
"""By rows, drawn at random."""

ABOVE = (1.0, 1.02, 1.05, 1.1)
SMALLER = (0.01, 0.03, 0.1)
JUDGED = 4000


def main() -> None:
    """Print one line per set, size and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--sets", nargs="+", default=["banking77", "r8", "nlupp", "20news"])
    parser.add_argument("--weak", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.weak:
        for name in weak.NAMES:
            measure_weak(name, arguments.cache)
        return
    for name in arguments.sets:
        frame = data.read(name, arguments.data, arguments.cache)
        frame = frame.drop_duplicates("text", ignore_index=True)
        features, targets = kept_features(
            name, data.task(name), frame, data.label_names(frame), arguments.cache
        )
        kind: Kind = "multi" if targets.ndim == 2 else "single"
        where = pd.Series(range(len(frame)), index=frame["text"])
        for a_label, draws in DRAWS.items():
            drawn = (
                frame.sample(frac=0.8, random_state=seed)
                if a_label is None
                else data.few(frame, a_label, seed)
                for seed in range(draws)
            )
            chosen = (torch.tensor(where[rows["text"]].tolist()) for rows in drawn)
            measure(f"{name:10} {a_label or 'all':>3} per label", features, targets, kind, chosen)


def measure_weak(name: str, cache: Path) -> None:
    """Print the lines of a set of ``weak.py``."""
    found = weak.read(name, cache)
    # The features are those of the texts: which label they stand beside does not matter.
    labels = ["odd", "even"] * len(found.texts)
    frame = pd.DataFrame({"text": found.texts, "label": labels[: len(found.texts)]})
    made, _ = kept_features(found.source, "classification", frame, ["even", "odd"], cache)
    features, targets = made[found.rows], found.targets[found.rows]
    for size, draws in WEAK_DRAWS.items():
        chosen = (
            torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
            for seed in range(draws)
        )
        few = (order[: size or len(features) * 4 // 5] for order in chosen)
        measure(f"{name:18} {size or 'all':>4} rows", features, targets, found.kind, few)


def kept_features(
    name: str, task: str, frame: pd.DataFrame, labels: list[str], cache: Path
) -> tuple[Tensor, Tensor]:
    """Return the features and targets of a set, computed once."""
    file = cache / f"features-{name}.pt"
    if not file.exists():
        made = frozen(task, frame, labels)
        torch.save((made.examples.features, made.examples.targets), file)
    features, targets = torch.load(file)
    return features, targets


def measure(
    what: str, features: Tensor, targets: Tensor, kind: Kind, draws: Iterable[Tensor]
) -> None:
    """Print the lines of one set and size, of which each draw is the rows of a training."""
    outputs = {"single": int(targets.max()) + 1, "regression": 1}.get(kind) or targets.shape[1]
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed, rows in enumerate(draws):
        others = torch.ones(len(features), dtype=torch.bool)
        others[rows] = False
        rest = others.nonzero().ravel()
        order = torch.randperm(len(rest), generator=torch.Generator().manual_seed(seed))
        rest = rest[order[:JUDGED]]
        every = Examples(features, targets, kind, outputs)
        known, held_out = every.select(rows), every.select(rest)
        losses = choose_c(known, (*SMALLER, *C_VALUES)).losses
        ours = {C: loss for C, loss in losses.items() if C in C_VALUES} or {C_VALUES[0]: 0.0}
        rules = {str(above): smallest_within(ours, above) for above in ABOVE}
        rules["1.05 from 0.01"] = smallest_within(losses, 1.05)
        rules["1.0 from 0.01"] = smallest_within(losses, 1.0)
        rules["fixed"] = 1.0
        truth = held_out.targets
        judged: dict[float, tuple[float, float]] = {}
        for rule, C in rules.items():
            if C not in judged:
                head = fit_head(known, C)
                lost = mean_loss(head, held_out)
                spread = float((truth - targets[rows].mean()).pow(2).mean()) if outputs == 1 else 0
                scores = head(held_out.features)
                good = 1 - lost / spread if kind == "regression" else score(scores, truth)
                judged[C] = good, lost
            found.setdefault(rule, []).append((C, *judged[C]))
    for rule, values in found.items():
        chosen, goods, all_lost = zip(*values, strict=True)
        print(
            f"{what}, {rule}: C {sorted(set(chosen))}, "
            f"{statistics.fmean(goods):.4f}, loss {statistics.fmean(all_lost):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
