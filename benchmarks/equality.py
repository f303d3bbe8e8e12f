"""How far the answers of every way of predicting are from those of torch, on real held-out texts.

    python benchmarks/equality.py DATA [--texts 600] [--rows 1000]

DATA is a folder with ``banking77/{train,test}.csv`` and ``nlupp/{train,test}.jsonl``. A MiniLM with
nothing but a head is trained on ROWS rows of each set, exported on 300 of them, and compared on TEXTS
test texts (0: all). Backends that are not installed are left out. The server is asked over HTTP on this
machine, and its answers are those of ``POST /v1/labels``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import figures
import pandas as pd
from measuring import machine

from clx.ml import training_run
from clx_runtime import load
from clx_runtime.sessions import installed
from serving import started

CHECKED = 300
ASKED = 50
"""The texts of a request to the server."""


def sets(data: Path) -> Iterator[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """Yield name, task, training rows and test rows of each data set that is there."""
    banking = data / "banking77"
    if banking.is_dir():
        yield (
            "Banking77",
            "classification",
            pd.read_csv(banking / "train.csv"),
            pd.read_csv(banking / "test.csv"),
        )
    nlupp = data / "nlupp"
    if nlupp.is_dir():
        yield "NLU++", "multilabel", _several(nlupp / "train.jsonl"), _several(nlupp / "test.jsonl")


def _several(path: Path) -> pd.DataFrame:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return pd.DataFrame([{"text": row["text"], "labels": row["labels"]} for row in rows])


def answers(run: Any, folder: Path, texts: list[str]) -> Iterator[tuple[str, list[Any], list[Any]]]:
    """Yield for each way of predicting its name, its scores and its decisions; torch comes first."""
    yield "run, torch", run.predict(texts), run.predict_labels(texts)
    yield "server, torch", *served(run, "torch", texts)
    for backend in installed(run_backends(run)):
        yield (
            f"run, {backend}",
            run.predict(texts, backend=backend),
            run.predict_labels(texts, backend=backend),
        )
        archive = folder / f"{run.run_name}-{backend}.clx.zip"
        _archive(run, archive, backend)
        for where, place in (("directory", run.run_dir), ("archive", archive)):
            model = load(place, backend)
            yield (
                f"clx_runtime, {where}, {backend}",
                model.predict(texts),
                model.predict_labels(texts),
            )
        yield f"server, {backend}", *served(run, backend, texts)


def served(run: Any, backend: str, texts: list[str]) -> tuple[list[Any], list[Any]]:
    """Return the scores and the decisions of ``clx serve``."""
    several = not isinstance(run.predict_labels(texts[:1])[0], str)
    scores, decisions = [], []
    command = ["-m", "clx", "serve", run.run_dir, "--port", "PORT", "--backend", backend]
    with started(*command) as (port, _):
        for start in range(0, len(texts), ASKED):
            body = {"texts": texts[start : start + ASKED], "all_scores": True}
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/labels",
                json.dumps(body).encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                results = json.load(answer)["results"]
            scores += [each["all_scores"] for each in results]
            chosen = [each["labels"] for each in results]
            decisions += chosen if several else [labels[0] if labels else None for labels in chosen]
    return scores, decisions


def run_backends(run: Any) -> list[str]:
    """Return the backends that a run was exported for."""
    report = json.loads((Path(run.run_dir) / "onnx" / "report.json").read_text())
    return list(report["checks"])


def _archive(run: Any, target: Path, backend: str) -> None:
    from clx.ml.prediction.archiving import archive_run
    from clx.ml.run_directory.layout import RunDir

    archive_run(RunDir(Path(run.run_dir)), target, backend)


def compared(run: Any, folder: Path, texts: list[str]) -> Iterator[figures.Row]:
    """Yield the figures of each way."""
    ways = answers(run, folder, texts)
    _, expected, decided = next(ways)
    for name, scores, decisions in ways:
        largest = max(
            abs(score - other[label])
            for row, other in zip(scores, expected, strict=True)
            for label, score in row.items()
        )
        equal = sum(a == b for a, b in zip(decisions, decided, strict=True)) / len(texts)
        yield {"name": name, "largest": largest, "equal": equal}


def main() -> None:
    """Train, export and compare on each set."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=int, default=600, help="test texts; 0: all")
    parser.add_argument("--rows", type=int, default=1000, help="training rows; 0: all")
    figures.add_options(parser)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(", ".join(f"{key} {value}" for key, value in machine().items()), flush=True)
    for name, task, train, test in sets(arguments.data):
        rows = train.sample(min(arguments.rows or len(train), len(train)), random_state=0)
        some = test.sample(min(arguments.texts or len(test), len(test)), random_state=0)
        with tempfile.TemporaryDirectory() as folder:
            run = training_run(
                task, "equality", run_dir_parent=folder, training_args={"disable_tqdm": True}
            )
            run.train(rows, fine_tune=False)
            report = run.export("onnx", texts=rows["text"].iloc[:CHECKED])
            print(f"\n{name}, {len(some)} test texts; chosen here: {report.default}")
            print(f"on {report.texts} training texts: {json.dumps(report.tried)}\n")
            print(
                "| against torch | largest difference of a score | equal decisions |\n|---|---|---|"
            )
            table = []
            for row in compared(run, Path(folder), some["text"].tolist()):
                table.append(row)
                cells = row["name"], f"{row['largest']:.2g}", f"{row['equal']:.2%}"
                print(f"| {' | '.join(cells)} |", flush=True)
        figures.append(arguments, f"equality, {name}", table)


if __name__ == "__main__":
    main()
