"""How far above the lowest loss a probe's ``C`` may be chosen, a smaller one being more careful.

    python benchmarks/quality/strength.py DATA [--sets banking77 r8 nlupp 20news]

The head alone, on rows of the training parts; judged by accuracy (micro-F1 at 0.5 with several labels)
and log-loss on at most 4,000 of the rows that were not drawn. "all" trains on four fifths. DATA is the
folder with banking77 and nlupp; features are kept in the cache. "fixed" is scikit-learn's
default, for comparison.
"""

from __future__ import annotations

import argparse
import os
import statistics
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import data
import pandas as pd
import torch
from frozen import frozen, score
from torch import Tensor

from clx.ml.probe import Kind, choose_strength, fit_head, mean_loss

DRAWS = {8: 5, 32: 3, 64: 2, None: 1}
"""By rows a label: how often they are drawn."""

ABOVE = (1.0, 1.02, 1.05, 1.1)
JUDGED = 4000


def main() -> None:
    """Print a line a set, size and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--sets", nargs="+", default=["banking77", "r8", "nlupp", "20news"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.sets:
        frame = data.read(name, arguments.data, arguments.cache)
        frame = frame.drop_duplicates("text", ignore_index=True)
        features, targets = kept_features(name, frame, arguments.cache)
        for a_label, draws in DRAWS.items():
            measure(name, frame, features, targets, a_label, draws)


def kept_features(name: str, frame: pd.DataFrame, cache: Path) -> tuple[Tensor, Tensor]:
    """Return the features and targets of a set, computed once."""
    file = cache / f"features-{name}.pt"
    if not file.exists():
        made = frozen(name, frame, data.label_names(frame))
        torch.save((made.features, made.targets), file)
    features, targets = torch.load(file)
    return features, targets


def measure(
    name: str,
    frame: pd.DataFrame,
    features: Tensor,
    targets: Tensor,
    a_label: int | None,
    draws: int,
) -> None:
    """Print the lines of one set and size."""
    kind: Kind = "multi" if targets.ndim == 2 else "single"
    outputs = targets.shape[1] if kind == "multi" else int(targets.max()) + 1
    where = pd.Series(range(len(frame)), index=frame["text"])
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(draws):
        if a_label is None:
            drawn = frame.sample(frac=0.8, random_state=seed)
        else:
            drawn = data.few(frame, a_label, seed)
        rows = torch.tensor(where[drawn["text"]].tolist())
        others = torch.ones(len(frame), dtype=torch.bool)
        others[rows] = False
        rest = others.nonzero().ravel()
        order = torch.randperm(len(rest), generator=torch.Generator().manual_seed(seed))
        rest = rest[order[:JUDGED]]
        losses = choose_strength(features[rows], targets[rows], kind, outputs).losses
        inputs, truth = features[rest], targets[rest]
        judged: dict[float, tuple[float, float]] = {}
        rules = {
            str(above): next(
                c for c, loss in losses.items() if loss <= above * min(losses.values())
            )
            for above in ABOVE
        }
        for rule, strength in {**rules, "fixed": 1.0}.items():
            if strength not in judged:
                head = fit_head(features[rows], targets[rows], kind, outputs, strength)
                lost = mean_loss(head, inputs, truth, kind)
                judged[strength] = score(head(inputs), truth), lost
            found.setdefault(rule, []).append((strength, *judged[strength]))
    for rule, values in found.items():
        strengths, scores, all_lost = zip(*values, strict=True)
        print(
            f"{name:10} {a_label or 'all':>3} a label, {rule}: C {sorted(set(strengths))}, "
            f"{statistics.fmean(scores):.4f}, loss {statistics.fmean(all_lost):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
