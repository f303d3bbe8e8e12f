"""Bootstrap intervals of an evaluation, against a loop over the resamples with scikit-learn.

Both compute the same four metrics. The loop makes a few resamples; its time is that for all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from measuring import Table, rows_of

LABELS, RESAMPLES, OF_LOOP = 77, 1000, 20


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return a table for rows with one label and one for rows with several."""
    from sklearn.metrics import accuracy_score, f1_score, log_loss

    from clx.ml.intervals import classification_intervals, multilabel_intervals

    rows = 1_000 if small else 10_000
    random = np.random.default_rng(0)
    labels = random.integers(0, LABELS, rows)
    logits = random.normal(size=(rows, LABELS))
    logits[np.arange(rows), labels] += 1.5
    several = random.random((rows, LABELS)) < 0.2
    scores = 1 / (1 + np.exp(-(random.normal(size=(rows, LABELS)) + 3 * several - 2)))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    best, chosen, ids = logits.argmax(axis=1), scores >= 0.5, range(LABELS)

    def of_one(drawn: np.ndarray) -> None:
        true, said = labels[drawn], best[drawn]
        accuracy_score(true, said)
        log_loss(true, chances[drawn], labels=ids)
        for average in ("macro", "weighted"):
            f1_score(true, said, labels=ids, average=average, zero_division=0)

    def of_several(drawn: np.ndarray) -> None:
        true, said = several[drawn], chosen[drawn]
        accuracy_score(true, said)
        for average in ("micro", "macro", "samples"):
            f1_score(true, said, average=average, zero_division=0)

    return [
        _table(
            f"intervals, {rows} rows of one of {LABELS} labels",
            rows,
            of_one,
            lambda: classification_intervals(labels, logits, resamples=RESAMPLES),
            rounds,
        ),
        _table(
            f"intervals, {rows} rows of several of {LABELS} labels",
            rows,
            of_several,
            lambda: multilabel_intervals(several, scores, 0.5, resamples=RESAMPLES),
            rounds,
        ),
    ]


def _table(
    title: str,
    rows: int,
    metrics: Callable[[np.ndarray], object],
    ours: Callable[[], object],
    rounds: int,
) -> Table:
    loop, clx = "resample by resample", f"{RESAMPLES} resamples in chunks"
    random = np.random.default_rng(1)
    times: dict[str, list[float]] = {loop: [], clx: []}
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(OF_LOOP):
            metrics(random.integers(0, rows, rows))
        times[loop].append((time.perf_counter() - started) * RESAMPLES / OF_LOOP)
        started = time.perf_counter()
        ours()
        times[clx].append(time.perf_counter() - started)
    return Table(title, loop, rows_of(times, loop, notes={clx: {"goal": "under 2 s"}}))
