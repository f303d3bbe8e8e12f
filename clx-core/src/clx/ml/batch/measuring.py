"""Measure for two seconds how fast a run predicts texts, in a process of its own.

A process of its own shows what a prediction needs from its start on, and its peak of memory is that of
the prediction alone. If the memory is too small, only this process ends.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clx.ml.batch.tokens import Group, SampledTexts, relative_error
from clx.ml.machine.memory import peak_memory
from clx.ml.prediction.predict import CutTexts
from clx_runtime.batches import window_size

SECONDS = 2.0
ROUNDS = 5
KEPT_ROWS = 4096

ONE_ROUND = 0.25
"""The relative error of a measurement with a single round."""

RowFunction = Callable[[list[str], CutTexts], Sequence[Mapping[str, Any]]]
"""Returns the columns of the prediction for each text."""


@dataclass(frozen=True)
class Predictions:
    """What predicts texts, once the model is loaded.

    Attributes:
        rows: predicts some texts.
        device: the kind of device that computes, such as ``cpu`` or ``cuda``.
        batch_size: texts per batch, None if they fill the token budget of the device.
    """

    rows: RowFunction
    device: str
    batch_size: int | None = None


@dataclass(frozen=True)
class Measuring:
    """What to measure. It can be pickled.

    Attributes:
        load: loads the model, and returns what predicts.
        texts: the texts to predict.
        seconds: how long to measure.
    """

    load: Callable[[], Predictions]
    texts: SampledTexts
    seconds: float = SECONDS


@dataclass
class Measured:
    """The result of a measurement.

    Attributes:
        window: how many texts the engine takes at once.
        start: the seconds until the first texts were predicted, from the start of the process.
        rounds: the tokens, the texts, and the seconds of each round.
        memory: the peak of the process's memory in bytes, None if it is unknown.
        device_memory: the peak of memory on a GPU in bytes, None without one.
        predicted: some texts with the columns of their prediction.
        problem: why nothing was measured, None if something was.
    """

    window: int = 1
    start: float = 0.0
    rounds: list[tuple[int, int, float]] = field(default_factory=list)
    memory: int | None = None
    device_memory: int | None = None
    predicted: dict[str, dict[str, Any]] = field(default_factory=dict)
    problem: str | None = None

    @property
    def token_seconds(self) -> float:
        """The seconds per token."""
        tokens = sum(tokens for tokens, _, _ in self.rounds)
        return sum(seconds for _, _, seconds in self.rounds) / max(1, tokens)

    @property
    def error(self) -> float:
        """The relative standard error of the seconds per token."""
        if len(self.rounds) < 2:
            return ONE_ROUND
        return relative_error([seconds / max(1, tokens) for tokens, _, seconds in self.rounds])


def measure(job: Measuring, since: float, own_process: bool = False) -> Measured:
    """Predict groups of texts for some seconds.

    Args:
        job: what to measure.
        since: ``time.time()`` when the prediction began, before the model was loaded.
        own_process: whether this process does nothing else, so that its memory counts.
    """
    predictions = job.load()
    groups = job.texts.groups(predictions.device, predictions.batch_size)
    found = Measured(window=window_size(predictions.device, predictions.batch_size))

    def predict(some: Sequence[Group]) -> float:
        texts = [text for group in some for text in group.texts]
        began = time.perf_counter()
        output = predictions.rows(texts, CutTexts(warn=False))
        taken = time.perf_counter() - began
        if len(found.predicted) < KEPT_ROWS:
            found.predicted.update(zip(texts, map(dict, output), strict=True))
        return taken

    predict(groups[:1])
    found.start = time.time() - since
    # The first batch of a shape is slower; the second one also says how many fill a round.
    taken = predict(groups[1:3] or groups) / len(groups[1:3] or groups)
    at, end = 0, time.perf_counter() + job.seconds
    while time.perf_counter() < end:
        count = max(1, round(job.seconds / ROUNDS / max(taken, 1e-5)))
        some = [groups[(at + n) % len(groups)] for n in range(min(count, len(groups)))]
        seconds = predict(some)
        texts, tokens = sum(len(group.texts) for group in some), sum(g.tokens for g in some)
        found.rounds.append((tokens, texts, seconds))
        at, taken = at + len(some), seconds / len(some)
    if own_process:
        # A prediction of a file reads and writes tables.
        for name in ("pandas", "pyarrow.csv", "pyarrow.parquet"):
            importlib.import_module(name)
        found.memory, found.device_memory = peak_memory(), _peak_on_gpu()
    return found


def _peak_on_gpu() -> int | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.max_memory_reserved())


def child() -> None:
    """Measure what standard input says, and write the result to standard output."""
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a task prints must not get between.
    os.dup2(2, 1)
    since, sys.path[:] = pickle.load(source)
    try:
        job = pickle.load(source)
    except (ImportError, AttributeError) as error:
        # Such as a task that a notebook defines.
        pickle.dump(("open", str(error)), target)
        target.close()
        return
    try:
        result: Any = measure(job, since, own_process=True)
    except Exception as error:
        result = ("measure", f"{type(error).__name__}: {error}")
    with target:
        pickle.dump(result, target)
