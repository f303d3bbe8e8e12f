"""What makes a training on a CPU cheaper, and what it costs: bf16, no dropout of attention weights.

    python benchmarks/quality/cheaper.py DATA --ways defaults bf16 --sets r8 banking77 --seeds 0 1
    python benchmarks/quality/cheaper.py DATA --ways dropout no-dropout --sets 20news --max-length 256

In turn for each set and seed: the score on dev (accuracy, or micro-F1 with several labels), log-loss,
and the processor's seconds of the training. DATA is the folder with banking77 and nlupp. bf16 is for
processors that multiply in it; of the defaults, long texts have no dropout of attention weights.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.append(str(Path(__file__).parents[1]))

import figures
import torch

import data
from clx.ml import training_run

WAYS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "bf16": {"training_args": {"bf16": True}},
    "dropout": {"model_args": {"attention_probs_dropout_prob": 0.1}},
    "no-dropout": {"model_args": {"attention_probs_dropout_prob": 0.0}},
}


def main() -> None:
    """Print a line for each training, and log a row for each set and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--sets", nargs="+", default=[*data.SINGLE, *data.MULTI])
    parser.add_argument("--a-label", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=data.CUT, metavar="TOKENS")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    figures.add_options(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("bf16 in hardware:", torch.cpu.get_capabilities().get("avx512_bf16"), flush=True)
    table = []
    for name in arguments.sets:
        train, dev = data.load(name, arguments.data, arguments.cache)
        for seed in arguments.seeds:
            rows = data.few(train, arguments.a_label, seed)
            line: figures.Row = {"name": name, "rows": len(rows), "seed": seed}
            for way in arguments.ways:
                options = WAYS[way]
                given = {"seed": seed, "disable_tqdm": True, **options.get("training_args", {})}
                with tempfile.TemporaryDirectory() as folder:
                    run = training_run(
                        data.task(name),
                        "cheaper",
                        run_dir_parent=folder,
                        device="cpu",
                        tokenize_args={"max_length": arguments.max_length},
                        **{**options, "training_args": given},
                    )
                    started = time.process_time()
                    run.train(rows)
                    seconds = time.process_time() - started
                    metrics = run.evaluate(dev).metrics
                line[f"score, {way}"] = metrics[data.metric(name)]
                line[f"seconds, {way}"] = seconds
                print(
                    f"{name:16} {len(rows)} rows, seed {seed}, {way:10}: "
                    f"{metrics[data.metric(name)]:.4f}, log-loss {metrics['log_loss']:.3f}, "
                    f"{seconds:.0f} s",
                    flush=True,
                )
            line["ratio"] = seconds / line[f"seconds, {arguments.ways[0]}"]
            table.append(line)
    figures.append(arguments, f"cheaper, {' against '.join(arguments.ways)}", table)


if __name__ == "__main__":
    main()
