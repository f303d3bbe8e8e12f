"""Spans in NLU++: clx beside a plain script around the Trainer, and spaCy's ``ner``, on the same rows.

    python benchmarks/tokens.py DATA [--rows 500] [--steps 700] [--dev] [--only clx,trainer]

DATA is the folder of NLU++ with ``train.jsonl`` and ``test.jsonl``: texts with ``spans``, whose offsets
are in characters. ``--dev`` measures on a fifth of the training rows instead of the test rows: choose
with it. Each contender is a process of its own, one after the other; spaCy has an environment of its own
under the cache. The same code scores all of them: a span counts if its label and both ends are right.
A line of JSON for each contender has the F1 with its 95 % interval over the texts, the seconds of the
training, and the texts per second of a second prediction of all texts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import figures

HERE = Path(__file__).resolve().parent
SPACY = HERE / "peers" / "scripts" / "peer_spacy_spans.py"

Row = dict[str, Any]
Predict = Callable[[Sequence[str]], list[list[Row]]]


def rows_of(path: Path) -> list[Row]:
    """Return the texts and spans of a file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{"text": row["text"], "spans": row["spans"]} for row in rows]


def overlaps(row: Row) -> bool:
    """Return whether two spans of a row overlap, which no contender can learn."""
    spans = sorted((span["start"], span["end"]) for span in row["spans"])
    return any(one[1] > two[0] for one, two in itertools.pairwise(spans))


# ---- Contenders ------------------------------------------------------------------------------------


def clx(train: list[Row], eval_share: float | None, steps: int | None) -> Predict:
    """Train a run as it comes, without or with a share of the rows as eval data."""
    import pandas as pd

    from clx.ml import training_run

    own = {"disable_tqdm": True} | ({} if steps is None else {"max_steps": steps})
    run = training_run("ner", "nlupp", run_dir_parent=tempfile.mkdtemp(), training_args=own)
    run.train(pd.DataFrame(train), eval_share)
    return lambda texts: run.predict(texts)


def trainer(train: list[Row]) -> Predict:
    """Fine-tune with the defaults of TrainingArguments, and predict with the stock pipeline."""
    import torch
    from datasets import Dataset
    from transformers import (
        AutoModelForTokenClassification,
        AutoTokenizer,
        DataCollatorForTokenClassification,
        Trainer,
        TrainingArguments,
        pipeline,
        set_seed,
    )

    set_seed(42)
    sys.path.insert(0, str(HERE / "peers" / "scripts"))
    from exchange import base_model

    folder = base_model()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = sorted({span["label"] for row in train for span in row["spans"]})
    labels = ["O", *(f"{tag}-{name}" for name in names for tag in "BI")]
    ids = {label: number for number, label in enumerate(labels)}

    def tokenized(row: Row) -> Row:
        made = tokenizer(row["text"], truncation=True, return_offsets_mapping=True)
        tags = []
        for start, end in made.pop("offset_mapping"):
            span = next((s for s in row["spans"] if s["start"] <= start < s["end"]), None)
            if start == end:
                tags.append(-100)
            elif span is None:
                tags.append(ids["O"])
            else:
                tag = "B" if start == span["start"] else "I"
                tags.append(ids[f"{tag}-{span['label']}"])
        return {**made, "labels": tags}

    model = AutoModelForTokenClassification.from_pretrained(
        folder, num_labels=len(labels), id2label=dict(enumerate(labels)), label2id=ids
    )
    made = Trainer(
        model=model,
        args=TrainingArguments(output_dir=tempfile.mkdtemp(), disable_tqdm=True, report_to="none"),
        train_dataset=Dataset.from_list([tokenized(row) for row in train]),
        data_collator=DataCollatorForTokenClassification(tokenizer),
        processing_class=tokenizer,
    )
    made.train()
    pipe = pipeline(
        "token-classification",
        model=model.eval(),
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        device="cuda" if torch.cuda.is_available() else "cpu",
    )

    def predict(texts: Sequence[str]) -> list[list[Row]]:
        keys = {"start": "start", "end": "end", "label": "entity_group"}
        found = pipe(list(texts), batch_size=32)
        return [[{k: span[v] for k, v in keys.items()} for span in spans] for spans in found]

    return predict


def contend(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """Train and predict in this process; return the spans and the seconds."""
    train = job["train"]
    started = time.perf_counter()
    share = 0.1 if name == "clx-eval" else None
    predict = trainer(train) if name == "trainer" else clx(train, share, job["steps"])
    trained = time.perf_counter() - started
    predict(job["texts"])
    started = time.perf_counter()
    spans = predict(job["texts"])
    return {"spans": spans, "training": trained, "prediction": time.perf_counter() - started}


CONTENDERS = ("clx", "clx-eval", "trainer", "spacy")


def python_for(name: str, cache: Path) -> list[str]:
    """Return the command of a contender."""
    if name != "spacy":
        return [sys.executable, str(Path(__file__).resolve()), "--contender", name]
    sys.path.insert(0, str(HERE / "peers"))
    from environments import python_of

    return [str(python_of("spacy", cache)), str(SPACY)]


# ---- Scores ----------------------------------------------------------------------------------------


def counts_of(expected: Sequence[Row], found: Sequence[Row]) -> tuple[int, int, int]:
    """Return the right, the found and the expected spans of a text."""
    own, other = (
        {(span["start"], span["end"], span["label"]) for span in spans}
        for spans in (expected, found)
    )
    return len(own & other), len(other), len(own)


def f1(counts: Sequence[tuple[int, int, int]]) -> float:
    """Return the micro F1 of texts."""
    right, found, expected = (sum(column) for column in zip(*counts, strict=True))
    return 2 * right / max(1, found + expected)


def interval(counts: Sequence[tuple[int, int, int]], resamples: int = 1000) -> list[float]:
    """Return the 95 % bootstrap interval of the F1 over the texts."""
    draw = random.Random(0)
    values = sorted(f1(draw.choices(counts, k=len(counts))) for _ in range(resamples))
    return [round(values[int(resamples * share)], 4) for share in (0.025, 0.975)]


def macro_f1(test: Sequence[Row], spans: Sequence[Sequence[Row]]) -> float:
    """Return the mean F1 of the labels that occur or are predicted."""
    names = {span["label"] for row in test for span in row["spans"]}
    names |= {span["label"] for row in spans for span in row}
    values = []
    for name in names:
        own = [[s for s in row["spans"] if s["label"] == name] for row in test]
        found = [[s for s in row if s["label"] == name] for row in spans]
        values.append(f1([counts_of(*pair) for pair in zip(own, found, strict=True)]))
    return sum(values) / max(1, len(values))


def main() -> None:
    """Print a line of JSON for each contender."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--rows", type=int, help="training rows to draw; all by default")
    parser.add_argument("--steps", type=int, help="steps of clx; as it chooses by default")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--cache", type=Path, default=Path(".benchmarks"))
    figures.add_options(parser)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        job = json.loads(given.job.read_text(encoding="utf-8"))
        result = contend(given.contender, job)
        Path(job["out"]).write_text(json.dumps(result), encoding="utf-8")
        return
    if given.data is None:
        parser.error("DATA is needed")
    train = rows_of(given.data / "train.jsonl")
    random.Random(0).shuffle(train)
    if given.dev:
        cut = len(train) * 4 // 5
        train, test = train[:cut], train[cut:]
    else:
        test = rows_of(given.data / "test.jsonl")
    train = [row for row in train if not overlaps(row)][: given.rows]
    table = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only.split(","):
            out, path = Path(folder) / f"{name}.json", Path(folder) / "job.json"
            job = {"train": train, "texts": [row["text"] for row in test], "out": str(out)}
            job["steps"] = given.steps
            path.write_text(json.dumps(job), encoding="utf-8")
            command = [*python_for(name, given.cache), "--job", str(path)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            result = json.loads(out.read_text(encoding="utf-8"))
            pairs = zip(test, result["spans"], strict=True)
            counts = [counts_of(row["spans"], spans) for row, spans in pairs]
            line = {
                "contender": name,
                "rows": len(train),
                "texts": len(test),
                "f1": round(f1(counts), 4),
                "interval": interval(counts),
                "f1_macro": round(macro_f1(test, result["spans"]), 4),
                "training_s": round(result["training"], 1),
                "texts_per_s": round(len(test) / result["prediction"], 1),
                "load": round(os.getloadavg()[0], 1),
            }
            print(json.dumps(line), flush=True)
            low, high = line["interval"]
            table.append({"name": name, "low": low, "high": high, **line})
    figures.append(given, "tokens, dev" if given.dev else "tokens", table)


if __name__ == "__main__":
    main()
