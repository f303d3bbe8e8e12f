"""How long the check of the data takes, and how much memory.

    OMP_NUM_THREADS=1 python benchmarks/preflight.py 10000 100000

Each case is in a process of its own. ``mixed``: random texts of 15 to 25 words, Zipf-distributed
from a vocabulary of 20,000; a tenth of the eval rows (a tenth of all) are copies of training rows,
another tenth differ from one by a word. ``templated``: all texts are one of twenty sentences with
one word of their own, so that everyone is a near duplicate of thousands. ``identical``: one text.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

CASES = ("mixed", "templated", "identical")
LABELS = 77


def make_texts(case: str, rows: int) -> list[str]:
    """Return the texts of a case."""
    import numpy as np

    rng = np.random.default_rng(0)
    if case == "identical":
        return ["Where is the card that I ordered two weeks ago, and why is it so late?"] * rows
    vocabulary = np.array([f"word{number}" for number in range(20_000)])
    if case == "templated":
        frames = [rng.choice(vocabulary[:500], 18) for _ in range(20)]
        return [" ".join([*frames[number % 20], f"number{number}"]) for number in range(rows)]
    chances = 1 / np.arange(1, len(vocabulary) + 1)
    words = rng.choice(vocabulary, size=(rows, 25), p=chances / chances.sum())
    texts = [
        " ".join(row[:size]) for row, size in zip(words, rng.integers(15, 26, rows), strict=True)
    ]
    start = rows - rows // 10
    for number in range(start, start + rows // 50):
        copied = texts[number - start].split()
        if number % 2:
            copied[7] = "planted"
        texts[number] = " ".join(copied)
    return texts


def measure(case: str, rows: int) -> None:
    """Run one case and print a line about it."""
    import pandas as pd

    from clx.ml.data.check.findings import check_data
    from clx.ml.data.check.labeled_texts import LabeledTexts
    from clx.ml.data.check.near_duplicates import near_duplicates

    texts = make_texts(case, rows)
    labels = [f"label {number % LABELS}" for number in range(rows)]
    lengths = [len(text.split()) + 2 for text in texts]
    cut = rows - rows // 10
    assert pd.__version__
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    check = check_data(
        LabeledTexts(texts[:cut], labels[:cut], lengths=lengths[:cut]),
        LabeledTexts(texts[cut:], labels[cut:], lengths=lengths[cut:]),
        limit=24,
    )
    checked = time.perf_counter() - started
    started = time.perf_counter()
    matches = near_duplicates(texts)
    alone = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    counts = {f"{found.kind} ({found.where[:-5]})": found.count for found in check.findings}
    print(
        f"{case:>10} {rows:>8} rows  check_data {checked:6.2f} s  near_duplicates {alone:6.2f} s"
        f"  {len(matches):>7} matches  +{memory:4.0f} MiB  {counts}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CASES:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        for rows in sys.argv[1:] or ["10000", "100000"]:
            for case in CASES:
                subprocess.run([sys.executable, __file__, case, rows], check=True)
