"""Plant wrong labels into Banking77's training part and see how many are found.

    python benchmarks/quality/label_errors.py DATA --rows 10003 [--similar] [--cleanlab]

A wrong label is any other one, or with ``--similar`` one of the three whose rows are most like it.
``--cleanlab`` gives cleanlab (2.9, which has to be installed) the same out-of-fold probabilities.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from clx.ml import training_run
from clx.ml.data.splits import tokenised_split
from clx.ml.model.head.label_errors import frozen_features, suspicion
from clx.ml.model.head.validation import choose_c, out_of_fold

SHARE = 0.05
FOLDS = 5
SIMILAR = 3
LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def main() -> None:
    """Print precision and recall, the labels after accepting suggestions, and the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=10_003)
    parser.add_argument("--similar", action="store_true", help="plant labels that are much alike")
    parser.add_argument("--cleanlab", action="store_true", help="compare with it")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    frame = pd.read_csv(arguments.data / "banking77" / "train.csv")[["text", "label"]]
    frame = frame.sample(min(arguments.rows, len(frame)), random_state=0, ignore_index=True)
    rng = np.random.default_rng(0)
    planted = rng.choice(len(frame), round(SHARE * len(frame)), replace=False)
    names, true = sorted(set(frame["label"])), frame["label"].copy()
    others = {name: [other for other in names if other != name] for name in names}
    if arguments.similar:
        others = most_similar(training_run("classification", "true", label_names=names), frame)
    for row in planted:
        frame.loc[row, "label"] = rng.choice(others[frame.loc[row, "label"]])
    with tempfile.TemporaryDirectory() as folder:
        run = training_run("classification", "planted", run_dir_parent=folder)
        begun = time.monotonic()
        ranked = run.find_label_errors(frame, top=len(planted))
        seconds = time.monotonic() - begun
        flagged = run.find_label_errors(frame)
    wrong = set(planted.tolist())
    print(f"{len(frame)} rows, {len(wrong)} planted, {seconds:.0f} s")
    say("clx", wrong, list(ranked.index), list(flagged.index))
    say_accepted(wrong, true, flagged)
    if arguments.cleanlab:
        compare(training_run("classification", "planted", label_names=names), frame, wrong)


def most_similar(run: Any, frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return for each label the ones whose rows' mean features are nearest, by cosine."""
    frozen = frozen_features(
        run, run.tokenizer, tokenised_split(run, run.tokenizer, "data", frame).dataset
    )
    features, targets = frozen.examples.features, frozen.examples.targets
    means = torch.stack([features[targets == n].mean(dim=0) for n in range(len(frozen.names))])
    means = torch.nn.functional.normalize(means, dim=1)
    nearest = (means @ means.T).fill_diagonal_(-2).topk(SIMILAR).indices.tolist()
    return {
        name: [frozen.names[n] for n in near]
        for name, near in zip(frozen.names, nearest, strict=True)
    }


def say(who: str, wrong: set[int], ranked: list[int], flagged: list[int]) -> None:
    """Print the precision at the planted count, and precision and recall of the flagged rows."""
    first, found = (len(wrong.intersection(rows)) for rows in (ranked, flagged))
    print(
        f"{who}: of the {len(wrong)} most suspicious {first / len(wrong):.3f}; "
        f"{len(flagged)} flagged: precision {found / len(flagged):.3f}, "
        f"recall {found / len(wrong):.3f}",
        flush=True,
    )


def say_accepted(wrong: set[int], true: pd.Series, flagged: pd.DataFrame) -> None:
    """Print what accepting the suggestions from some confidence on makes of the labels."""
    for limit in LIMITS:
        accepted = flagged[flagged["confidence"] >= limit]
        right = accepted["suggested"] == true[accepted.index]
        harmed = len(accepted) - len(wrong.intersection(accepted.index))
        print(
            f"confidence {limit}: {len(accepted)} accepted, {int(right.sum())} of {len(wrong)} planted "
            f"errors corrected, {harmed} other labels changed",
            flush=True,
        )


def compare(run: Any, frame: pd.DataFrame, wrong: set[int]) -> None:
    """Print what clx and cleanlab make of one array of probabilities."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    rows = tokenised_split(run, run.tokenizer, "data", frame).dataset
    examples = frozen_features(run, run.tokenizer, rows).examples
    scores = out_of_fold(examples, choose_c(examples).C, FOLDS)
    labels, probabilities = examples.targets.numpy(), scores.softmax(dim=1).numpy()
    ours = suspicion(labels, probabilities)
    order = np.argsort(-ours.lead, kind="stable")[: len(wrong)]
    say("clx, the same", wrong, order.tolist(), np.flatnonzero(ours.suspicious).tolist())
    for method in ("self_confidence", "normalized_margin"):
        quality = get_label_quality_scores(labels, probabilities, method=method)
        order = np.argsort(quality, kind="stable")[: len(wrong)]
        for rule in ("prune_by_noise_rate", "confident_learning"):
            issues = find_label_issues(labels, probabilities, filter_by=rule, n_jobs=1)
            say(
                f"cleanlab, {method}, {rule}",
                wrong,
                order.tolist(),
                np.flatnonzero(issues).tolist(),
            )


if __name__ == "__main__":
    main()
