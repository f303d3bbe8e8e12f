"""A probe of few rows: Newton's method against L-BFGS, for the choice of ``C`` and the fit together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from measuring import Table, in_turn

from clx.ml.model.head import probe
from clx.ml.model.head.fit_probe import fit_probe
from clx.ml.model.head.newton import is_small
from clx.ml.model.head.probe import Examples

SIZES = ((20, 2), (100, 2), (40, 5))
"""Rows and labels of each case."""


def run_benchmark(rounds: int, small: bool) -> list[Table]:
    """Return how much faster Newton's method fits probes of few rows."""
    return [_table(rows, labels, rounds) for rows, labels in SIZES[: 1 if small else None]]


def _table(rows: int, labels: int, rounds: int) -> Table:
    generator = torch.Generator().manual_seed(0)
    ids = torch.arange(rows) % labels
    centers = torch.randn(labels, 384, generator=generator)
    features = centers[ids] + 2 * torch.randn(rows, 384, generator=generator)
    examples = Examples(torch.nn.functional.layer_norm(features, (384,)), ids, "single", labels)

    def fit(small_is: Callable[..., bool]) -> Callable[[], None]:
        def run() -> None:
            probe.is_small = small_is
            fit_probe(examples, None, judge_extra=False, fine_tune=True)

        return run

    contestants = {"L-BFGS": fit(lambda *size: False), "Newton's method": fit(is_small)}
    return in_turn(contestants, "L-BFGS", rounds, f"A probe of {rows} rows and {labels} labels")


if __name__ == "__main__":
    for table in run_benchmark(5, small=False):
        print(table.show())
