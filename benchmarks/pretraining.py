"""What adapting a base model to a domain gains with few labels, measured on Reuters R8.

``python benchmarks/pretraining.py FOLDER`` needs ``train.csv`` and ``test.csv`` in the folder, which
``examples/reuters_r8/get_data.py FOLDER`` writes. The unlabeled texts are those of the training file,
and the classifier gets a few of its rows per label. Nothing is chosen on the test rows.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import figures
import pandas as pd

from clx.ml import training_run


def few(frame: pd.DataFrame, rows: int, seed: int) -> pd.DataFrame:
    """Return some rows of each label."""
    return frame.groupby("label").sample(rows, random_state=seed, replace=False)


def score(base: Any, train: pd.DataFrame, test: pd.DataFrame, tune: bool, folder: Path) -> Any:
    """Return accuracy and macro-F1 of a classifier on a base model."""
    run = training_run(
        "classification",
        "probe",
        run_dir_parent=folder,
        base_model_name=base,
        training_args={"disable_tqdm": True},
    )
    run.train(train, overwrite=True, fine_tune=tune)
    found = run.evaluate(test).metrics
    return found["accuracy"], found["f1_macro"]


def main() -> None:
    """Adapt, then compare the adapted model with its base."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", default=None, help="the base model (default: the embedded one)")
    parser.add_argument("--texts", type=int, default=3000)
    parser.add_argument("--epochs", type=float, default=1)
    parser.add_argument("--tokens", type=int, default=128, help="tokens per block")
    parser.add_argument("--rows", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tune", action="store_true", help="fine-tune the classifier too")
    figures.add_options(parser)
    asked = parser.parse_args()
    train, test = (pd.read_csv(asked.folder / f"{part}.csv") for part in ("train", "test"))
    # Every label needs enough rows to draw from.
    counts = train["label"].value_counts()
    train = train[train["label"].isin(counts[counts >= max(asked.rows)].index)]
    test = test[test["label"].isin(train["label"].unique())]
    named = {} if asked.base is None else {"base_model_name": asked.base}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        domain = training_run(
            "mlm",
            "domain",
            run_dir_parent=folder,
            block_size=asked.tokens,
            training_args={"num_train_epochs": asked.epochs, "disable_tqdm": True},
            **named,
        )
        started = time.monotonic()
        result = domain.train(train[["text"]].head(asked.texts), eval_data=0.05)
        seconds = time.monotonic() - started
        print(f"adapted on {asked.texts} texts in {seconds:.0f} s: {result.metrics}", flush=True)
        base = domain.base_model_name
        table = []
        for rows in asked.rows:
            for name, model in (("base", base), ("adapted", domain.run_dir)):
                found = [
                    score(model, few(train, rows, seed), test, asked.tune, folder)
                    for seed in range(asked.seeds)
                ]
                accuracy, f1 = zip(*found, strict=True)
                row = {
                    "name": name,
                    "rows": rows,
                    "accuracy": statistics.mean(accuracy),
                    "lowest": min(accuracy),
                    "highest": max(accuracy),
                    "f1": statistics.mean(f1),
                }
                table.append(row)
                print(
                    f"{rows:3} rows per label  {name:8} accuracy {row['accuracy']:.3f} "
                    f"({row['lowest']:.3f} to {row['highest']:.3f})  macro-F1 {row['f1']:.3f}",
                    flush=True,
                )
        figures.append(asked, "pretraining", table)


if __name__ == "__main__":
    main()
