"""What ``training_args={"bf16": True}`` costs and saves on a CPU that multiplies in it.

    python benchmarks/quality/precision.py DATA --sets r8 banking77 --seeds 0 1

In turn with fp32, for each set and seed: the score on dev (accuracy, or micro-F1 with several labels)
and the processor's seconds of the training. DATA is the folder with banking77 and nlupp.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import data
import torch

from clx.ml import training_run


def main() -> None:
    """Print a line for each training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    parser.add_argument("--sets", nargs="+", default=[*data.SINGLE, *data.MULTI])
    parser.add_argument("--a-label", type=int, default=8)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("bf16 in hardware:", torch.cpu.get_capabilities().get("avx512_bf16"), flush=True)
    for name in arguments.sets:
        train, dev = data.load(name, arguments.data, arguments.cache)
        for seed in arguments.seeds:
            rows = data.few(train, arguments.a_label, seed)
            for bf16 in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    run = training_run(
                        data.task(name),
                        "precision",
                        run_dir_parent=folder,
                        device="cpu",
                        training_args={"seed": seed, "bf16": bf16, "disable_tqdm": True},
                        tokenize_args={"max_length": data.CUT},
                    )
                    started = time.process_time()
                    run.train(rows)
                    seconds = time.process_time() - started
                    metrics = run.evaluate(dev).metrics
                print(
                    f"{name:16} {len(rows)} rows, seed {seed}, {'bf16' if bf16 else 'fp32'}: "
                    f"{metrics[data.metric(name)]:.4f}, {seconds:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
