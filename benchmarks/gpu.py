"""On a GPU: prediction in fp32 and bf16, compiled, by token budget; training in bf16.

Ratios as everywhere, with texts and examples a second as notes, since a GPU is not shared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import Table, in_turn
from texts import mixed_texts, short_texts

from prediction import hand_loop, trained_run

BUDGETS = (2_048, 4_096, 8_192, 16_384, 32_768, 65_536)


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return the tables; without a GPU there are none."""
    import torch

    if not torch.cuda.is_available():
        print("there is no GPU: nothing to measure")
        return []
    count = 1024 if small else 20_000
    with tempfile.TemporaryDirectory() as folder:
        run = trained_run(Path(folder))
        tables = []
        for name, texts in (("mixed", mixed_texts(count)), ("short", short_texts(count))):
            tables.append(_precision(run, _distinct(texts), rounds, f"GPU, {name} texts"))
        tables.append(_budgets(run, _distinct(mixed_texts(count)), rounds))
    return [*tables, *_training(rounds, small)]


def _distinct(texts: list[str]) -> list[str]:
    """Equal texts are computed once by one of the contestants only."""
    return [f"{number} {text}" for number, text in enumerate(texts)]


def _precision(run: Any, texts: list[str], rounds: int, title: str) -> Table:
    import torch

    contestants: dict[str, Callable[[], Any]] = {
        f"pipeline, batch {size}": lambda size=size: run.pipe(texts, top_k=None, batch_size=size)
        for size in (32, 256)
    }
    contestants["hand loop, sorted, batch 256"] = lambda: hand_loop(run, texts, 256)
    contestants["run.predict"] = lambda: run.predict(texts)
    forward = run.model.forward
    compiled = torch.compile(forward, dynamic=True)

    def with_model(change: Callable[[], None], undo: Callable[[], None]) -> None:
        change()
        try:
            run.predict(texts)
        finally:
            undo()

    contestants["run.predict, bf16"] = lambda: with_model(
        lambda: run.model.bfloat16(), lambda: run.model.float()
    )
    contestants["run.predict, compiled"] = lambda: with_model(
        lambda: setattr(run.model, "forward", compiled),
        lambda: setattr(run.model, "forward", forward),
    )
    table = in_turn(contestants, "pipeline, batch 32", rounds, title)
    for row in table.rows:
        row.notes["texts/s"] = round(len(texts) / row.seconds)
    return table


def _budgets(run: Any, texts: list[str], rounds: int) -> Table:
    from clx.ml.data import batches

    def with_budget(budget: int) -> None:
        before, batches.OTHER_BUDGET = batches.OTHER_BUDGET, budget
        try:
            run.predict(texts)
        finally:
            batches.OTHER_BUDGET = before

    contestants = {f"{budget:,} tokens": lambda b=budget: with_budget(b) for budget in BUDGETS}
    table = in_turn(contestants, f"{BUDGETS[3]:,} tokens", rounds, "GPU, tokens of a batch")
    for row in table.rows:
        row.notes["texts/s"] = round(len(texts) / row.seconds)
    return table


def _training(rounds: int, small: bool) -> list[Table]:
    import training

    training.PRECISION = {"bf16": True}
    try:
        return training.run_benchmark(rounds, small)
    finally:
        training.PRECISION = {}
