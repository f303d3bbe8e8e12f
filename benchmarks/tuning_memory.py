"""The memory and the disk space that a tuning takes, at trial 10 and at trial 100.

Each trial trains a tiny random model for two steps. A model, a Trainer or a data set that a trial leaves
behind would add up. ``python benchmarks/tuning_memory.py [TRIALS]`` prints, for some trials, the
resident memory in MiB and the size of everything in the folder of runs in kB.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

SHOWN = (1, 10, 25, 50, 75, 100)


def resident() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def size_of(folder: Path) -> float:
    """Return the size of all files in a folder in kB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1000


def main(trials: int) -> None:
    """Tune, and print a line for some of the trials."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LOCAL_DATA_DIR"] = folder
        from clx.ml import training_run
        from clx.ml.selection import tune_loop
        from conftest import fruit_frame, make_tiny_model

        warnings.simplefilter("ignore")
        model = make_tiny_model(Path(folder) / "model", hidden_size=256, num_hidden_layers=4)
        run = training_run(
            "classification",
            base_model_name=model,
            head_init="random",
            pooling="mean",
            label_texts=None,
            training_args={"max_steps": 2, "disable_tqdm": True},
        )
        count, run_trial = 0, tune_loop.run_trial

        def measured(*arguments: Any) -> Any:
            nonlocal count
            count += 1
            if count in SHOWN:
                runs = size_of(run.run_dir.parent)
                print(
                    f"before trial {count}: {resident():.0f} MiB, {runs:.0f} kB on disk", flush=True
                )
            return run_trial(*arguments)

        tune_loop.run_trial = measured
        run.tune(
            fruit_frame(40),
            fruit_frame(20),
            trials=trials,
            time_budget=None,
            space={"learning_rate": (1e-6, 1e-3, "log")},
        )
        print(f"after {count} trials: {resident():.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
