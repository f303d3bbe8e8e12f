"""Make the golden run directories of today's schema; run once, when there is a new one.

    python tests/golden/make.py

Directories that are there already are never made again: they are what was written at their time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from clx.ml import training_run
from clx.ml.run_directory.config import SCHEMA_VERSION
from conftest import fruit_frame, make_tiny_model

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
SIZES |= {"intermediate_size": 8, "max_position_embeddings": 16}
TEXTS = ["the cat", "an apple is red", "", "[SEP] dog"]
V0 = "task run_name base_model_name tokenizer_name tokenize_args model_args training_args label_names"
EXTRAS = ("environment.json", "report.html", "logs")


def make(name, task, data, **options):
    target = HERE / name
    if target.exists():
        return None
    run = training_run(
        task,
        "golden",
        run_dir_parent="runs",
        base_model_name="tiny-random-bert",
        tokenize_args={"max_length": 12},
        training_args={"num_train_epochs": 30, "learning_rate": 3e-2, "disable_tqdm": True},
        **options,
    )
    run.train(data, data, overwrite=True)
    for extra in EXTRAS:
        path = run.run_dir / extra
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    shutil.copytree(run.run_dir, target / "run")
    expect(target)
    return target


def expect(target):
    predictions = training_run(load=target / "run").predict(TEXTS)
    expected = [
        {label: round(score, 6) for label, score in scores.items()} for scores in predictions
    ]
    text = json.dumps({"texts": TEXTS, "scores": expected}, indent=1)
    (target / "expected.json").write_text(text + "\n")


def main():
    work = tempfile.mkdtemp()
    os.chdir(work)
    make_tiny_model(Path("tiny-random-bert"), **SIZES)
    fruit = fruit_frame(24)
    version = f"v{SCHEMA_VERSION}"
    made = make(f"{version}-classification", "classification", fruit)
    both = fruit.assign(labels=[[label, "living"] for label in fruit["label"]]).drop(
        columns="label"
    )
    both.at[0, "labels"] = []
    make(f"{version}-multilabel", "multi-label-classification", both)
    if made is not None and not (HERE / "v0-classification").exists():
        make_version_0(made, HERE / "v0-classification")
    shutil.rmtree(work)


def make_version_0(made, target):
    """Write what the first programs wrote: a config of nine keys, a model, and nothing else."""
    shutil.copytree(made, target)
    run = target / "run"
    config = json.loads((run / "config.json").read_text())
    old = {key: config[key] for key in V0.split()} | {"run_dir_parent": "/home/somebody/runs"}
    (run / "config.json").write_text(json.dumps(old, indent=2))
    for name in ("manifest.json", "results.json", "model/README.md"):
        (run / name).unlink()
    tokenizer = run / "model" / "tokenizer_config.json"
    kept = json.loads(tokenizer.read_text())
    kept.pop("split_special_tokens", None)
    tokenizer.write_text(json.dumps(kept, indent=2))
    expect(target)


if __name__ == "__main__":
    main()
