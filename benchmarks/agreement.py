"""ONNX in eight bits on a fine-tuned model: how many decisions are equal, and how fast it is.

    python benchmarks/agreement.py DATA [--run RUN]

DATA is a folder with ``banking77/train.csv`` and ``test.csv``. RUN is a trained run of Banking77;
without it one is trained, which takes minutes. How to quantise is chosen on training texts; the test
texts are for the figures.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import figures
import pandas as pd
from measuring import in_turn, machine

from clx.ml import training_run

BACKENDS = ("torch", "onnx", "onnx-int8")
CHECKED = 500


def trained(data: Path, folder: Path) -> Any:
    """Return a run trained on all of Banking77's training rows, nothing set."""
    run = training_run("classification", "banking77", run_dir_parent=folder)
    run.train(pd.read_csv(data / "banking77" / "train.csv"))
    return run


def main() -> None:
    """Export, count equal decisions on the test texts, time the backends in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    figures.add_options(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    test = pd.read_csv(arguments.data / "banking77" / "test.csv")
    known = pd.read_csv(arguments.data / "banking77" / "train.csv")["text"]
    texts = test["text"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.run is None:
            run = trained(arguments.data, Path(folder))
        else:
            run = training_run(load=arguments.run)
        report = run.export("onnx", texts=known.sample(CHECKED, random_state=0))
        print(", ".join(f"{key} {value}" for key, value in machine().items()))
        print("on", CHECKED, "training texts:", report.to_dict())
        chosen = {name: run.predict_labels(texts, backend=name) for name in BACKENDS}
        shares = {}
        for name in BACKENDS:
            equal = sum(a == b for a, b in zip(chosen[name], chosen["torch"], strict=True))
            right = sum(a == b for a, b in zip(chosen[name], test["label"], strict=True))
            shares[name] = {"equal": equal / len(texts), "accuracy": right / len(texts)}
            print(
                f"{name}: {equal / len(texts):.2%} equal decisions, accuracy "
                f"{right / len(texts):.4f} on {len(texts)} test texts"
            )
        some = texts[:512]
        contestants: dict[str, Any] = {
            "pipeline, batch 32": lambda: run.pipe(some, top_k=None, batch_size=32)
        }
        for name in BACKENDS:
            contestants[name] = lambda name=name: run.predict(some, backend=name)
        table = in_turn(contestants, "pipeline, batch 32", arguments.rounds, "Banking77, 512 texts")
        print(table.show())
        rows = [{**row, **shares.get(row["name"], {})} for row in table.logged()]
        figures.append(arguments, "agreement, Banking77", rows)


if __name__ == "__main__":
    main()
