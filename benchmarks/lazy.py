"""Rows that stay on disk: memory and the time to the first step, against the number of rows.

Each case trains a tiny random model for a few steps, or evaluates it, in a process of its own. What
counts is the peak of the memory that belongs to the process alone, without pages of mapped files. The
second training of a file uses the copy that the first one made.

``CLX_LAZY_ROWS=10000000`` measures 10⁵ rows, 10⁶, and so on up to this number; a csv file has at most
10⁶ rows, and so have eval data. ``CLX_LAZY_ROWS=20000,300000`` measures these numbers.
``CLX_LAZY_FOLDER`` is where to write the files.
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

START = """
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
"""

TRAIN = """
threading.Thread(target=watch, daemon=True).start()
run = training_run(
    "classification", "rows", base_model_name={folder!r} + "/base", tokenize_lazily={lazily},
    training_args={{"max_steps": 20, "disable_tqdm": True, "dataloader_num_workers": {workers}}},
)
run.train({source!r}, overwrite=True, callbacks=[First()])
waiting.set()
print(peak[0], First.seconds)
"""

EVALUATE = """
run = training_run(
    "classification", "scorer", base_model_name={folder!r} + "/base", tokenize_lazily={lazily},
    training_args={{"max_steps": 1, "disable_tqdm": True, "dataloader_num_workers": {workers}}},
)
run.train({few!r}, overwrite=True)
threading.Thread(target=watch, daemon=True).start()
started = time.perf_counter()
run.evaluate({source!r})
waiting.set()
print(peak[0], time.perf_counter() - started)
"""

MOST_CSV = MOST_EVALUATED = 10**6

WORDS = ["account", "card", "money", "bank", "lost", "transfer", "pin", "number", "cash", "fee"]


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the memory and the time to the first step, and the memory of evaluations."""
    counts = counts_of(os.environ.get("CLX_LAZY_ROWS"), small)
    cases, evaluated = [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("CLX_LAZY_FOLDER")) as folder:
        _prepare(Path(folder))
        few = write_rows(Path(folder), 1000, "parquet")
        for rows in counts:
            for kind in ("parquet", "csv") if rows <= MOST_CSV else ("parquet",):
                source = write_rows(Path(folder), rows, kind)
                for made in ("first", "again"):
                    cases.append(_case(folder, f"{rows:,} rows of {kind}, {made}", source))
                source.unlink()
        source = write_rows(Path(folder), counts[0], "parquet")
        cases.append(_case(folder, f"{counts[0]:,} rows, two workers", source, workers=2))
        cases.append(_case(folder, f"{counts[0]:,} rows, in memory", source, lazily=False))
        for rows in [each for each in counts if each <= MOST_EVALUATED]:
            source = write_rows(Path(folder), rows, "parquet")
            for lazily, how in ((True, "on disk"), (False, "in memory")):
                name = f"{rows:,} rows {how}"
                evaluated.append(_case(folder, name, source, lazily, few=few))
            source.unlink()
    return [
        Table("own memory of a lazy training", cases[0].name, _ratios(cases), "times the peak of"),
        Table(
            "own memory of an evaluation",
            evaluated[0].name,
            _ratios(evaluated),
            "times the peak of",
        ),
    ]


def counts_of(named: str | None, small: bool) -> list[int]:
    """Return the numbers of rows to measure.

    Args:
        named: the numbers that the user named, or the largest power of ten.
        small: whether to measure few rows.
    """
    if not named:
        return [10**4, 10**5] if small else [10**5, 10**6]
    given = [int(each) for each in named.split(",")]
    if len(given) > 1:
        return given
    powers = [10**power for power in range(5, len(str(given[0]))) if 10**power < given[0]]
    return [*powers, given[0]]


def _ratios(rows: list[Row]) -> list[Row]:
    for row in rows:
        row.ratio = row.notes["_peak"] / rows[0].notes["_peak"]
        row.spread = (row.ratio, row.ratio)
    for row in rows:
        del row.notes["_peak"]
    return rows


def _case(
    folder: str,
    name: str,
    source: Path,
    lazily: bool = True,
    workers: int = 0,
    few: Path | None = None,
) -> Row:
    """Measure a training, or, with ``few`` rows to train on, an evaluation."""
    here = str(Path(__file__).parent)
    values = {"source": str(source), "lazily": lazily, "workers": workers, "few": str(few)}
    code = (START + (TRAIN if few is None else EVALUATE)).format(folder=folder, here=here, **values)
    started = time.perf_counter()
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak, first = (float(part) for part in done.stdout.split()[-2:])
    what = "first step after" if few is None else "evaluated in"
    notes = {"_peak": peak, "own memory": f"{peak:.0f} MB", what: f"{first:.1f} s"}
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
