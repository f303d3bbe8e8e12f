"""What ``compare_bases`` says of MiniLM, of MiniLM cut to 3 layers, and of a random model.

    python benchmarks/bases.py DATA --rows 2000

DATA is the folder with banking77; without it, nothing is measured. Only rows of the training part are
used. The first comparison computes the features, the second one finds them in the cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pandas as pd

CUT_LAYERS = 3


def main() -> None:
    """Print the comparison, and the seconds of both calls."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--folds", type=int, default=3)
    arguments = parser.parse_args()
    source = arguments.data / "banking77" / "train.csv"
    if not source.is_file():
        print(f"there is no {source}: nothing to measure")
        return
    with tempfile.TemporaryDirectory() as name:
        os.environ["LOCAL_DATA_DIR"] = name
        rows = pd.read_csv(source).sample(arguments.rows, random_state=0)
        _compare(Path(name), rows, arguments.folds)


def _compare(folder: Path, rows: pd.DataFrame, folds: int) -> None:
    from clx.ml import training_run
    from clx.ml.model.base_models import resolve_base_model
    from clx.ml.task.options import DEFAULT_BASE_MODEL

    whole = resolve_base_model(DEFAULT_BASE_MODEL)
    bases = [DEFAULT_BASE_MODEL, cut(whole, folder / "cut"), random(whole, folder / "random")]
    run = training_run("classification", "bases", training_args={"disable_tqdm": True})
    for which in ("first", "second"):
        started = time.perf_counter()
        frame = run.compare_bases(rows, bases, folds)
        print(f"{which} comparison: {time.perf_counter() - started:.1f} s", flush=True)
    frame["base"] = [Path(base).name for base in frame["base"]]
    print(frame.to_string(index=False, float_format="%.4f"))
    print("recommended:", Path(frame.attrs["recommended"]).name)


def cut(whole: Path, folder: Path, layers: int = CUT_LAYERS) -> Path:
    """Write a model with the first layers of another one, its tokenizer and its pooling."""
    from transformers import AutoModel

    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.safetensors", "onnx"))
    model = AutoModel.from_pretrained(whole)
    model.encoder.layer = model.encoder.layer[:layers]
    model.config.num_hidden_layers = layers
    model.save_pretrained(folder)
    return folder


def random(whole: Path, folder: Path) -> Path:
    """Write an untrained model of two narrow layers with the tokenizer of another model."""
    import torch
    from transformers import AutoConfig, AutoModel

    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.safetensors", "onnx"))
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = AutoConfig.from_pretrained(whole, **sizes, intermediate_size=128)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
