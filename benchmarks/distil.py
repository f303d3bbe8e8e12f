"""Students against their teachers: ``python benchmarks/distil.py DATA [--sets …] [--seeds …]``.

On each set, clx trains a teacher, on few rows per label or on all but a fifth of them, and distils it
with the texts of the training rows except that fifth. The export and the cascade are chosen on the
texts of the fifth, which neither model has learned. Compared on the test rows: accuracy (micro F1 with
several labels), decisions equal to those of torch, texts per second in turn with torch, and size.
TF-IDF with an SVM learns from the same labels, and so does model2vec's classifier, if ``--model2vec``
names a Python that has ``model2vec[distill,train]``, whose versions do not go with clx's.

DATA is a folder with banking77, nlupp and agnews; the other sets are downloaded once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / "peers"))

import figures
import numpy as np
import pandas as pd
import sets
from measuring import in_turn

ROUNDS = 3
FRESH = 5
"""The share of rows, one in five, on which export and cascade are chosen."""

TIMED = 1000
"""The test texts whose speed is measured."""

TORCH, INT8, STATIC, CASCADE = "clx", "clx, int8", "student", "cascade"
Decide = Callable[[Sequence[str]], list[Any]]


def main() -> None:
    """Measure, print a table per set, and log the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--sets", nargs="+", default=list(sets.SETS), choices=sets.SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--sizes", nargs="+", default=["few", "all"], choices=["few", "all"])
    parser.add_argument("--texts", type=int, help="distil with so many texts at most")
    parser.add_argument("--augment", type=int, help="so many variants of each text, 0 for none")
    parser.add_argument("--head-only", action="store_true", help="teachers without fine-tuning")
    parser.add_argument("--layers", type=int, help="also a student of so many layers")
    parser.add_argument("--model2vec", type=Path, metavar="PYTHON")
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    figures.add_options(parser)
    arguments = parser.parse_args()
    for name in arguments.sets:
        for size in arguments.sizes:
            # On all rows, a seed changes little and costs hours.
            for seed in arguments.seeds if size == "few" else arguments.seeds[:1]:
                rows = measured(name, size, seed, arguments)
                title = f"{name}, {size} rows, seed {seed}"
                show(title, rows)
                measured_rows = [row for row in rows if "quality" in row]
                figures.append(arguments, f"distil, {title}", measured_rows)


def measured(
    name: str, size: str, seed: int, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return a row for each contestant."""
    given, cache = arguments.data, arguments.cache
    a_label = sets.SMALL[name] if size == "few" else None
    whole = sets.train_rows(name, None, seed, given, cache)
    train = sets.train_rows(name, a_label, seed, given, cache)
    # Few rows stay the teacher's; of all rows, it gives a fifth away.
    free = whole if a_label is None else whole[~whole["text"].isin(set(train["text"]))]
    fresh = free["text"].tolist()[: len(whole) // FRESH]
    learned, train = (rows[~rows["text"].isin(set(fresh))] for rows in (whole, train))
    texts = learned["text"].tolist()[: arguments.texts]
    test = sets.test_rows(name, given, cache)
    several = name in sets.MULTI_LABEL
    if several:
        train, test = (each.rename(columns={"label": "labels"}) for each in (train, test))
    truth = test["labels" if several else "label"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        contestants, facts = contestants_of(
            Path(folder), train, (texts, fresh), seed, several, arguments
        )
        decide = dict(contestants)
        inputs = test["text"].tolist()
        decided = {each: answer(inputs) for each, answer in decide.items()}
        some = inputs[:TIMED]
        runs = {each: (lambda answer=answer: answer(some)) for each, answer in decide.items()}
        table = in_turn(runs, TORCH, ROUNDS, name)
        rows = []
        for row in table.rows:
            own = decided[row.name]
            rows.append(
                {
                    "name": row.name,
                    "quality": quality(own, truth, several),
                    "equal": equal(own, decided[TORCH]),
                    "texts_per_second": len(some) / row.seconds,
                    "times_torch": row.ratio,
                    "low": row.spread[0],
                    "high": row.spread[1],
                    **facts.get(row.name, {}),
                }
            )
        if arguments.model2vec is not None and not several:
            rows.append(model2vec(arguments.model2vec, train, inputs, truth, decided[TORCH], seed))
    return rows


def contestants_of(
    folder: Path,
    train: pd.DataFrame,
    unlabeled: tuple[list[str], list[str]],
    seed: int,
    several: bool,
    arguments: argparse.Namespace,
) -> tuple[Iterator[tuple[str, Decide]], dict[str, dict[str, Any]]]:
    """Return what decides, by name, and what else is known of each."""
    from clx.errors import ClxError
    from clx.ml import training_run

    texts, fresh = unlabeled
    task = "multi-label-classification" if several else "classification"
    options = {"run_dir_parent": folder, "training_args": {"seed": seed, "disable_tqdm": True}}
    teacher = training_run(task, "teacher", **options)
    began = time.perf_counter()
    teacher.train(train, fine_tune=not arguments.head_only)
    facts = {TORCH: {"seconds": time.perf_counter() - began, "mb": megabytes(teacher.run_dir)}}
    found: dict[str, Decide] = {TORCH: teacher.predict_labels}
    teacher.export("onnx", texts=fresh[:500])
    found[INT8] = lambda some: teacher.predict_labels(some, backend="onnx-int8")
    facts[INT8] = {"mb": (teacher.run_dir / "onnx" / "model.int8.onnx").stat().st_size / 1e6}
    kinds: list[tuple[str, dict[str, Any]]] = [(STATIC, {"augment": arguments.augment})]
    if arguments.layers:
        kinds.append(
            (f"{arguments.layers} layers", {"student": "layers", "layers": arguments.layers})
        )
    for name, kind in kinds:
        result = teacher.distill(texts, name=name.replace(" ", "-"), **kind)
        found[name] = training_run(load=result.run_dir).predict_labels
        stated = result.agreement
        facts[name] = {
            "mb": megabytes(result.run_dir),
            "seconds": result.durations["student"],
            "stated": [stated.equal, stated.low, stated.high],
        }
    if hasattr(teacher, "with_fast"):
        try:
            teacher.with_fast(STATIC, data=fresh)
            found[CASCADE] = lambda some: teacher.predict_labels(some, backend="cascade")
        except ClxError as error:
            print(f"no cascade: {error}", flush=True)
    if not several:
        found["TF-IDF + SVM"] = svm(train)
    return iter(found.items()), facts


def svm(train: pd.DataFrame) -> Decide:
    """Return what decides with TF-IDF and a linear support vector machine."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(vectors, LinearSVC(random_state=0))
    model.fit(train["text"], train["label"])
    return lambda some: model.predict(list(some)).tolist()


MODEL2VEC = """
import json, sys, time
from model2vec.distill import distill
from model2vec.train import StaticModelForClassification
job = json.load(open(sys.argv[1]))
base = distill(model_name=job["base"], pca_dims=256)
began = time.perf_counter()
model = StaticModelForClassification.from_static_model(model=base)
model.fit(job["texts"], job["labels"])
seconds = time.perf_counter() - began
fast = model.to_pipeline()
fast.predict(job["test"][:10])
began = time.perf_counter()
predicted = [str(each) for each in fast.predict(job["test"])]
speed = len(job["test"]) / (time.perf_counter() - began)
json.dump({"predicted": predicted, "speed": speed, "seconds": seconds}, open(sys.argv[2], "w"))
"""


def model2vec(
    python: Path,
    train: pd.DataFrame,
    test: list[str],
    truth: list[Any],
    torch: list[Any],
    seed: int,
) -> dict[str, Any]:
    """Return the row of model2vec's classifier on the same base model, in its own environment."""
    from clx.ml.model.base_models import resolve_base_model
    from clx.ml.task.options import DEFAULT_BASE_MODEL

    with tempfile.TemporaryDirectory() as folder:
        job, answer = Path(folder) / "job.json", Path(folder) / "answer.json"
        content = {
            "base": str(resolve_base_model(DEFAULT_BASE_MODEL)),
            "texts": train["text"].tolist(),
            "labels": train["label"].tolist(),
            "test": test,
        }
        job.write_text(json.dumps(content), encoding="utf-8")
        command = [str(python), "-c", MODEL2VEC, str(job), str(answer)]
        done = subprocess.run(command, check=False, env={**os.environ, "PYTHONHASHSEED": str(seed)})
        if done.returncode:
            return {"name": "model2vec", "note": "not run: it failed, see above"}
        found = json.loads(answer.read_text(encoding="utf-8"))
    return {
        "name": "model2vec",
        "quality": quality(found["predicted"], truth, several=False),
        "equal": equal(found["predicted"], torch),
        "texts_per_second": found["speed"],
        "seconds": found["seconds"],
    }


def quality(decided: list[Any], truth: list[Any], several: bool) -> float:
    """Return the accuracy, or with several labels the micro F1."""
    if not several:
        return float(np.mean([one == two for one, two in zip(decided, truth, strict=True)]))
    hits = sum(len(set(one) & set(two)) for one, two in zip(decided, truth, strict=True))
    return 2 * hits / max(1, sum(map(len, decided)) + sum(map(len, truth)))


def equal(decided: list[Any], others: list[Any]) -> float:
    """Return the share of equal decisions."""
    return float(np.mean([one == two for one, two in zip(decided, others, strict=True)]))


def megabytes(run_dir: Path) -> float:
    """Return the size of a run's ``model/``."""
    return sum(path.stat().st_size for path in (run_dir / "model").iterdir()) / 1e6


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print the figures of a set, with the load of the machine."""
    print(f"\n{title} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs)")
    for row in rows:
        if "quality" not in row:
            print(f"  {row['name']:<14} {row['note']}")
            continue
        ratio = f"{row['times_torch']:6.1f}x" if "times_torch" in row else "       "
        size = f"{row['mb']:7.1f} MB" if "mb" in row else ""
        print(
            f"  {row['name']:<14} quality {row['quality']:.3f}  equal {row['equal']:.3f}  "
            f"{row['texts_per_second']:9,.0f} texts/s {ratio}{size}",
            flush=True,
        )
    if not any(row["name"] == "model2vec" for row in rows):
        print("  model2vec      not run: --model2vec names no Python that has it")


if __name__ == "__main__":
    main()
