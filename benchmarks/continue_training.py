"""Continue a run with new labels against training all labels from scratch, on Banking77.

A run is trained on 60 of the 77 labels, with few rows per label. Then it is continued with rows of the
other 17 labels, with and without old rows mixed in. Accuracy is that on the test split, on the test rows
of the 60 labels, and on those of the 17 labels. The column kept has the epoch of the published model, or
probe: with few rows, a fine-tuning may lose against the probe. --rows 60 --fine-tuned leaves out the
trainings of the head alone, and stops unless the first run is really fine-tuned.

    python benchmarks/continue_training.py FOLDER [--rows 10] [--seed 0] [--fine-tuned]

FOLDER holds train.csv and test.csv of Banking77, with the columns text and category or label.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

OLD_LABELS = 60
ARGUMENTS = {"disable_tqdm": True}


def read(path: Path) -> Any:
    """Return a split with the columns text and label."""
    import pandas as pd

    frame = pd.read_csv(path)
    return frame.rename(columns={"category": "label"})[["text", "label"]]


def sample(frame: Any, rows: int, seed: int) -> Any:
    """Return this number of random rows of each label."""
    shuffled = frame.sample(frac=1, random_state=seed)
    return shuffled.groupby("label").head(rows).reset_index(drop=True)


def measured(name: str, run: Any, seconds: float, test: Any, old: set[str]) -> dict[str, Any]:
    """Return the accuracy of a run on all test rows, and on those of old and of new labels."""
    predicted = run.predict_labels(test["text"].tolist())
    right = test["label"].astype(str).to_numpy() == predicted
    is_old = test["label"].isin(old).to_numpy()
    return {
        "training": name,
        "kept": run.results["kept_model"],
        "all": right.mean(),
        "old labels": right[is_old].mean(),
        "new labels": right[~is_old].mean(),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Print a table with a row per training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fine-tuned", action="store_true")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    import pandas as pd

    from clx.ml import training_run

    train, test = (read(chosen.folder / f"{split}.csv") for split in ("train", "test"))
    labels = sorted(train["label"].unique())
    shuffled = pd.Series(labels).sample(frac=1, random_state=chosen.seed).tolist()
    old = set(shuffled[:OLD_LABELS])
    drawn = sample(train, chosen.rows + 5, chosen.seed)
    number = drawn.groupby("label").cumcount()
    rows, evaluated = drawn[number < chosen.rows], drawn[number >= chosen.rows]
    is_old = rows["label"].isin(old)
    old_eval = evaluated[evaluated["label"].isin(old)]
    table = []
    with tempfile.TemporaryDirectory() as folder:

        def made(name: str) -> Any:
            return training_run(
                "classification", name, run_dir_parent=folder, training_args=dict(ARGUMENTS)
            )

        for fine_tune in (True,) if chosen.fine_tuned else (False, True):
            how = "fine-tuned" if fine_tune else "head only"
            run = made(f"old-{fine_tune}")
            started = time.monotonic()
            run.train(rows[is_old], old_eval, fine_tune=fine_tune)
            passed = time.monotonic() - started
            table.append(measured(f"{how}: 60 labels", run, passed, test, old))
            if chosen.fine_tuned and table[-1]["kept"] == "probe":
                sys.exit("The probe was better than the fine-tuning: use more --rows")
            for name, more in (
                ("new rows alone", {}),
                ("replay_rows=0.3", {"replay": rows[is_old], "replay_rows": 0.3}),
                ("replay", {"replay": rows[is_old]}),
            ):
                started = time.monotonic()
                result = run.continue_training(
                    rows[~is_old], evaluated, f"{fine_tune}-{name}", fine_tune=fine_tune, **more
                )
                passed = time.monotonic() - started
                new = training_run(load=result.run_dir)
                table.append(measured(f"{how}: continued, {name}", new, passed, test, old))
                print(pd.DataFrame(table).to_string(), flush=True)
            scratch = made(f"all-{fine_tune}")
            started = time.monotonic()
            scratch.train(rows, evaluated, fine_tune=fine_tune)
            passed = time.monotonic() - started
            table.append(measured(f"{how}: from scratch", scratch, passed, test, old))
            print(pd.DataFrame(table).round(4).to_string(), flush=True)


if __name__ == "__main__":
    main()
