"""Prediction: ``run.predict`` against what a user would otherwise write, on the same texts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from measuring import Table, in_turn
from texts import MODULES, mixed_texts, short_texts

LABELS = list(MODULES)


def trained_run(folder: Path, rows: int = 1500) -> Any:
    """Return a run with the shape of a fine-tuned MiniLM, of which only the last layer is fitted."""
    import pandas as pd
    from texts import paragraphs

    from clx.ml import training_run

    some = pd.DataFrame(paragraphs()[:rows], columns=["text", "label"])
    run = training_run(
        "classification",
        "bench",
        run_dir_parent=folder,
        label_names=LABELS,
        training_args={"disable_tqdm": True},
    )
    run.train(some, overwrite=True, fine_tune=False)
    return run


def hand_loop(run: Any, texts: list[str], size: int = 32) -> list[Any]:
    """Predict as a careful user writes it: sorted, in batches, padded to the longest."""
    import torch

    tokenizer, model = run.tokenizer, run.model
    rows = tokenizer(texts, truncation=True)["input_ids"]
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    results: list[Any] = [None] * len(rows)
    names = [model.config.id2label[i] for i in range(model.config.num_labels)]
    with torch.inference_mode():
        for start in range(0, len(order), size):
            some = order[start : start + size]
            batch = tokenizer.pad({"input_ids": [rows[i] for i in some]}, return_tensors="pt")
            scores = model(**batch.to(model.device)).logits.float().softmax(-1).cpu().tolist()
            for i, row in zip(some, scores, strict=True):
                results[i] = dict(zip(names, row, strict=True))
    return results


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the tables of mixed and of short texts."""
    with tempfile.TemporaryDirectory() as folder:
        run = trained_run(Path(folder))
        tables = [
            _table(run, mixed_texts(256 if small else 1024), rounds, "prediction, mixed lengths"),
            _table(run, short_texts(256 if small else 1024), rounds, "prediction, short texts"),
        ]
        tables += _export_tables(run, 256 if small else 1024, rounds)
    return tables


def _table(run: Any, texts: list[str], rounds: int, title: str) -> Table:
    pipe = run.pipe
    contestants = {
        f"pipeline, batch {size}": lambda size=size: pipe(texts, top_k=None, batch_size=size)
        for size in (32, 8, 1)
    }
    contestants |= {
        "pipeline, sorted, batch 32": lambda: pipe(
            sorted(texts, key=len), top_k=None, batch_size=32
        ),
        "hand loop, sorted, batch 32": lambda: hand_loop(run, texts),
        "run.predict": lambda: run.predict(texts),
        "run.predict, batch 32": lambda: run.predict(texts, batch_size=32),
    }
    goals = {"run.predict": 3.0} if "mixed" in title else {"run.predict": 1.0}
    return in_turn(contestants, "pipeline, batch 32", rounds, title, goals)


def _export_tables(run: Any, count: int, rounds: int) -> list[Table]:
    from clx.errors import MissingDependencyError

    try:
        report = run.export("onnx", texts=mixed_texts(2500)[-500:])
    except MissingDependencyError as error:
        print(f"ONNX is left out: {error}")
        return []
    return [
        _export_table(run, report, mixed_texts(count), rounds, "mixed lengths", 6.0),
        _export_table(run, report, short_texts(count), rounds, "short texts", 4.0),
    ]


def _export_table(
    run: Any, report: Any, texts: list[str], rounds: int, what: str, goal: float
) -> Table:
    contestants: dict[str, Any] = {
        "pipeline, batch 32": lambda: run.pipe(texts, top_k=None, batch_size=32),
        "run.predict": lambda: run.predict(texts),
    }
    for name in report.checks:
        contestants[f"run.predict, {name}"] = lambda name=name: run.predict(texts, backend=name)
    goals = {f"run.predict, {name}": goal for name in report.checks if "int8" in name}
    title = f"prediction, {what}, exported"
    table = in_turn(contestants, "pipeline, batch 32", rounds, title, goals)
    for row in table.rows:
        check = report.checks.get(row.name.rpartition(" ")[2])
        if check is not None:
            row.notes["equal decisions"] = round(check.equal_decisions, 4)
    return table
