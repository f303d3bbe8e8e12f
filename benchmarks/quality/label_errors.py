"""Plant wrong labels into Banking77's training part and see how many are found.

python benchmarks/quality/label_errors.py DATA --rows 10003
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from clx.ml import training_run

SHARE = 0.05


def main() -> None:
    """Print precision and recall at the planted count, those of the flagged rows, and the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=10_003)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    frame = pd.read_csv(arguments.data / "banking77" / "train.csv")[["text", "label"]]
    frame = frame.sample(min(arguments.rows, len(frame)), random_state=0, ignore_index=True)
    rng = np.random.default_rng(0)
    planted = rng.choice(len(frame), round(SHARE * len(frame)), replace=False)
    names = sorted(set(frame["label"]))
    for row in planted:
        others = [name for name in names if name != frame.loc[row, "label"]]
        frame.loc[row, "label"] = rng.choice(others)
    with tempfile.TemporaryDirectory() as folder:
        run = training_run("classification", "planted", run_dir_parent=folder)
        begun = time.monotonic()
        ranked = run.find_label_errors(frame, top=len(planted))
        seconds = time.monotonic() - begun
        flagged = run.find_label_errors(frame)
    wrong = set(planted.tolist())
    print(f"{len(frame)} rows, {len(wrong)} planted, {seconds:.0f} s")
    print(f"the {len(wrong)} most suspicious: {len(wrong & set(ranked.index)) / len(wrong):.3f}")
    found = len(wrong & set(flagged.index))
    print(
        f"{len(flagged)} flagged: precision {found / len(flagged):.3f}, "
        f"recall {found / len(wrong):.3f}"
    )


if __name__ == "__main__":
    main()
