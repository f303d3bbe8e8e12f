"""Rows per second when reading and writing files, against pandas, and the memory that reading takes.

pandas reads csv and tsv with its C engine and cells as text, as clx does; jsonl with
``read_json(lines=True)``, which guesses types where clx keeps values; and parquet with ``read_parquet``.
Memory is the growth of a process while it walks through all rows in parts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Row, Table, in_turn
from texts import mixed_texts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMATS = ("csv", "tsv", "jsonl", "parquet")
SEPARATORS = {"csv": ",", "tsv": "\t"}
PART_ROWS = 4096

WALK = """
import sys, warnings
from clx.ml.data.tables.sources import open_rows
warnings.simplefilter("ignore")
import pyarrow, pyarrow.csv, pyarrow.parquet
def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key)) / 1024
before = status("VmRSS")
rows = 0
for part in open_rows({path!r}).parts({part}):
    rows += part.num_rows
assert rows == {rows}, rows
print(status("VmHWM") - before)
"""


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the speed of each format, and the memory of reading each."""
    rows = 20_000 if small else 200_000
    counts = (20_000, 100_000) if small else (100_000, 1_000_000)
    tables = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame = _frame(rows)
        for form in FORMATS:
            tables.append(_writing(folder, form, frame, rounds))
            tables.append(_reading(folder / f"clx.{form}", form, rows, rounds))
        tables += [_memory(folder, form, counts) for form in FORMATS]
    return tables


def _frame(rows: int) -> pd.DataFrame:
    import pandas as pd

    texts = mixed_texts(rows)
    return pd.DataFrame(
        {
            "id": range(rows),
            "text": [f"{number} {text}" for number, text in enumerate(texts)],
            "label": [f"label {number % 5}" for number in range(rows)],
            "score": [number / rows for number in range(rows)],
        }
    )


def _reading(path: Path, form: str, rows: int, rounds: int) -> Table:
    import pandas as pd

    from clx.ml.data.tables.sources import open_rows

    def in_parts() -> None:
        assert sum(part.num_rows for part in open_rows(path).parts(PART_ROWS)) == rows

    readers: dict[str, Callable[[], Any]] = {
        "jsonl": partial(pd.read_json, path, lines=True),
        "parquet": partial(pd.read_parquet, path),
    }
    if form in SEPARATORS:
        readers[form] = partial(pd.read_csv, path, sep=SEPARATORS[form], engine="c", dtype=str)
    contestants = {
        "pandas": readers[form],
        "clx, whole": lambda: open_rows(path, keep=True).table(),
        "clx, opened and whole": lambda: open_rows(path).table(),
        "clx, in parts": in_parts,
    }
    goals = {"clx, whole": 1.0} if form == "csv" else None
    return _with_rates(in_turn(contestants, "pandas", rounds, f"reading {form}", goals), rows)


def _writing(folder: Path, form: str, frame: pd.DataFrame, rounds: int) -> Table:
    import pyarrow as pa

    from clx.ml.data.tables.formats import target_format
    from clx.ml.data.tables.writing import write_rows

    table = pa.Table.from_pandas(frame, preserve_index=False)
    target, other = folder / f"clx.{form}", folder / f"pandas.{form}"
    writers: dict[str, Callable[[], Any]] = {
        "jsonl": partial(frame.to_json, other, orient="records", lines=True, force_ascii=False),
        "parquet": partial(frame.to_parquet, other, index=False),
    }
    if form in SEPARATORS:
        writers[form] = partial(frame.to_csv, other, sep=SEPARATORS[form], index=False)

    def write(batches: list[pa.RecordBatch]) -> None:
        write_rows(iter(batches), table.schema, target, target_format(target.name))

    contestants = {
        "pandas": writers[form],
        "clx": partial(write, table.to_batches(PART_ROWS)),
    }
    return _with_rates(in_turn(contestants, "pandas", rounds, f"writing {form}"), len(frame))


def _with_rates(table: Table, rows: int) -> Table:
    for row in table.rows:
        row.notes["rows/s"] = f"{rows / row.seconds:,.0f}"
    return table


def _memory(folder: Path, form: str, counts: tuple[int, ...]) -> Table:
    from clx.ml.data.tables.formats import target_format
    from clx.ml.data.tables.writing import write_rows

    rows = []
    for count in counts:
        path = folder / f"rows.{form}"
        batches = _batches(count)
        first = next(batches)
        write_rows(_all(first, batches), first.schema, path, target_format(path.name))
        code = WALK.format(path=str(path), part=PART_ROWS, rows=count)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        grown = float(done.stdout)
        notes = {"grown": f"{grown:.0f} MB", "file": f"{path.stat().st_size / 2**20:.0f} MB"}
        rows.append(Row(f"{count:,} rows", time.perf_counter() - started, grown, notes=notes))
        path.unlink()
    fewest = rows[0].ratio
    for row in rows:
        row.ratio = row.ratio / fewest
        row.spread = (row.ratio, row.ratio)
    return Table(f"memory of reading {form} in parts", "the fewest rows", rows, "times that of")


def _batches(count: int) -> Any:
    """Yield made-up rows in bounded memory."""
    import pyarrow as pa

    texts = mixed_texts(10_000)
    for start in range(0, count, PART_ROWS):
        numbers = range(start, min(start + PART_ROWS, count))
        yield pa.record_batch(
            {
                "id": list(numbers),
                "text": [f"{n} {texts[n % len(texts)]}" for n in numbers],
                "label": [f"label {n % 5}" for n in numbers],
            }
        )


def _all(first: Any, rest: Any) -> Any:
    yield first
    yield from rest
