"""Long texts cut or read in windows, and how the windows' logits are pooled; on dev parts.

    python benchmarks/quality/long_texts.py DATA [--fine-tune] [--sets 20news r8] [--ways length]

DATA is the folder with banking77 and nlupp, which these sets do not need. At most 64 rows per label, an
input limit of 128 tokens; the head alone unless ``--fine-tune`` is given.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import data
from clx.ml import training_run
from clx.ml.task.windows import WINDOW_POOLINGS

WAYS = ("truncate", *WINDOW_POOLINGS)


def main() -> None:
    """Print one line per set and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--sets", nargs="+", default=["r8", "20news", "20news-hierarchy"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, metavar="WAY")
    parser.add_argument("--a-label", type=int, default=64)
    parser.add_argument("--fine-tune", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in arguments.sets:
        train, dev = data.load(name, arguments.data, arguments.cache)
        rows = data.few(train, arguments.a_label, seed=0)
        for way in arguments.ways:
            with tempfile.TemporaryDirectory() as folder:
                run = training_run(
                    data.task(name),
                    "long-texts",
                    run_dir_parent=folder,
                    tokenize_args={"max_length": data.CUT},
                    training_args={"disable_tqdm": True},
                    **({} if way == "truncate" else {"long_text": "window", "window_pooling": way}),
                )
                begun = time.monotonic()
                run.train(rows, fine_tune=arguments.fine_tune)
                seconds = time.monotonic() - begun
                metrics = run.evaluate(dev).metrics
            score = metrics[data.metric(name)]
            print(
                f"| {name} | {way} | {score:.3f} | {metrics['f1_macro']:.3f} | "
                f"{metrics['log_loss']:.3f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
