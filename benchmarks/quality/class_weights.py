"""What ``class_weights="balanced"`` does on Reuters R52, whose labels have from 1 to 2,840 rows.

    python benchmarks/quality/class_weights.py --rows 1200          # the head alone
    python benchmarks/quality/class_weights.py --rows 1200 --tune   # with the fine-tuning

Rows are drawn at random from the training part, the dev part is split off it.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import data
from clx.ml import training_run


def main() -> None:
    """Print accuracy and macro-F1 on dev with and without weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--rows", type=int, default=1200)
    parser.add_argument("--tune", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    train, dev = data.load("r52", Path(), arguments.cache)
    names = sorted(set(train["label"]))
    rows = train.head(arguments.rows)
    for weights in (None, "balanced"):
        with tempfile.TemporaryDirectory() as folder:
            run = training_run(
                "classification",
                "weights",
                run_dir_parent=folder,
                label_names=names,
                class_weights=weights,
                tokenize_args={"max_length": data.CUT},
                training_args={"disable_tqdm": True},
            )
            run.train(rows, fine_tune=arguments.tune)
            metrics = run.evaluate(dev).metrics
        shown = {key: round(metrics[key], 4) for key in ("accuracy", "f1_macro", "log_loss")}
        print(f"{len(rows)} rows, weights {weights}: {shown}", flush=True)


if __name__ == "__main__":
    main()
