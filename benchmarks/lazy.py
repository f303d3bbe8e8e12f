"""Training rows that stay on disk: memory and the time to the first step, against the number of rows.

Each case trains a tiny random model for a few steps, in a process of its own. What counts is the peak of
the memory that belongs to the process alone, without pages of mapped files. The second training of a
file uses the copy that the first one made.

``CLX_LAZY_ROWS=10000000`` measures other numbers of rows, ``CLX_LAZY_FOLDER`` is where to write them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import Row, Table

TRAIN = """
import os, sys, threading, time
started = time.perf_counter()
os.environ["LOCAL_DATA_DIR"] = {folder!r}
sys.path.insert(0, {here!r})
from transformers import TrainerCallback
from clx.ml import training_run

def own_memory():
    with open("/proc/self/smaps_rollup") as file:
        sizes = dict(line.split()[:2] for line in file if line.startswith("Pss_Anon"))
    return int(sizes["Pss_Anon:"]) / 1024

peak, waiting = [0.0], threading.Event()
def watch():
    while not waiting.wait(0.05):
        peak[0] = max(peak[0], own_memory())

class First(TrainerCallback):
    seconds = None
    def on_step_begin(self, *args, **kwargs):
        First.seconds = First.seconds or time.perf_counter() - started

threading.Thread(target=watch, daemon=True).start()
run = training_run(
    "classification", "rows", base_model_name={folder!r} + "/base", tokenize_lazily={lazily},
    training_args={{"max_steps": 20, "disable_tqdm": True, "dataloader_num_workers": {workers}}},
)
run.train({source!r}, overwrite=True, callbacks=[First()])
waiting.set()
print(peak[0], First.seconds)
"""

WORDS = ["account", "card", "money", "bank", "lost", "transfer", "pin", "number", "cash", "fee"]


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the memory and the time to the first step."""
    named = os.environ.get("CLX_LAZY_ROWS")
    counts = [int(each) for each in named.split(",")] if named else [10**5, 10**6]
    counts = [10**4, 10**5] if small else counts
    cases = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("CLX_LAZY_FOLDER")) as folder:
        _prepare(Path(folder))
        for rows in counts:
            for kind in ("parquet", "csv"):
                source = write_rows(Path(folder), rows, kind)
                for made in ("first", "again"):
                    cases.append(_case(folder, f"{rows:,} rows of {kind}, {made}", source))
                source.unlink()
        source = write_rows(Path(folder), counts[0], "parquet")
        cases.append(_case(folder, f"{counts[0]:,} rows, two workers", source, workers=2))
        cases.append(_case(folder, f"{counts[0]:,} rows, in memory", source, lazily=False))
    for row in cases:
        row.ratio = row.notes["_peak"] / cases[0].notes["_peak"]
        row.spread = (row.ratio, row.ratio)
    for row in cases:
        del row.notes["_peak"]
    return [Table("own memory of a lazy training", cases[0].name, cases, "times the peak of")]


def _case(folder: str, name: str, source: Path, lazily: bool = True, workers: int = 0) -> Row:
    here = str(Path(__file__).parent)
    values = {"source": str(source), "lazily": lazily, "workers": workers}
    code = TRAIN.format(folder=folder, here=here, **values)
    started = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, first = (float(part) for part in done.stdout.split()[-2:])
    notes = {"_peak": peak, "own memory": f"{peak:.0f} MB", "first step after": f"{first:.1f} s"}
    print(name, notes, file=sys.stderr, flush=True)
    return Row(name, time.perf_counter() - started, notes=notes)


def write_rows(folder: Path, rows: int, kind: str) -> Path:
    """Write distinct short texts with five labels, a part at a time, and return the file."""
    import pyarrow.csv
    import pyarrow.parquet

    path = folder / f"rows-{rows}.{kind}"
    parts = _parts(rows)
    first = next(parts)
    made = pyarrow.parquet.ParquetWriter if kind == "parquet" else pyarrow.csv.CSVWriter
    with made(str(path), first.schema) as writer:
        writer.write_table(first)
        for part in parts:
            writer.write_table(part)
    return path


def _parts(rows: int, size: int = 100_000) -> Iterator[object]:
    import numpy as np
    import pyarrow as pa

    words = np.asarray(WORDS)
    for start in range(0, rows, size):
        count = min(size, rows - start)
        random = np.random.default_rng(start)
        chosen = words[random.integers(0, len(words), (count, 24))]
        lengths = random.integers(3, 24, count)
        texts = [f"{start + row} " + " ".join(chosen[row, : lengths[row]]) for row in range(count)]
        labels = [f"label {(start + row) % 5}" for row in range(count)]
        yield pa.table({"text": texts, "label": labels})


def _prepare(folder: Path) -> None:
    from transformers import AutoTokenizer, BertConfig, BertModel

    from training import base_model

    tokenizer = AutoTokenizer.from_pretrained(base_model())
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
