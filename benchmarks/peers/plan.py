"""The trials and their order: those that tell most per second come first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sets import SETS, SMALL

SEEDS = (0, 1, 2)
QUICK = ("svm", "embeddings", "clx-head")
OTHERS = ("trainer", "simpletransformers")
MIDDLE = 64
"""Rows per label at the middle size, one seed."""

LARGER = ("r8", "banking77", "20news")
"""The sets of which all rows are trained on, one seed."""


SIZES = ("small", "middle", "all")
"""8 or 10 rows per label, 64, and all rows."""


class Trial(NamedTuple):
    """One training: a contender on rows of a set; ``a_label`` is None for all rows."""

    contender: str
    data: str
    a_label: int | None
    seed: int


def size_of(trial: Trial) -> str:
    """Return which of ``SIZES`` a trial is of."""
    return {MIDDLE: "middle", None: "all"}.get(trial.a_label, "small")


def plan() -> list[Trial]:
    """Return all trials, each once, in the order in which they are made."""
    return list(dict.fromkeys(_in_order()))


def _in_order() -> Iterator[Trial]:
    yield from _small(QUICK, SETS, SEEDS)
    yield from _small(("setfit",), SETS[:1], SEEDS[:1])
    yield from _small(("clx", "trainer"), SETS, SEEDS)
    yield from _small(("setfit-20",), ("agnews", "20news-topics", "r8", "nlupp"), SEEDS[:1])
    yield from (Trial("clx", name, MIDDLE, 0) for name in ("nlupp", *LARGER))
    # What TF-IDF has by reading whole texts: this shows whether that is what it has.
    yield from (
        Trial(who, "20news", MIDDLE, seed) for seed in SEEDS for who in ("clx-whole", "svm")
    )
    yield from _small(("simpletransformers",), SETS, SEEDS)
    yield from (Trial(who, name, MIDDLE, 0) for who in QUICK for name in ("nlupp", *LARGER))
    yield from (Trial(who, name, None, 0) for who in QUICK for name in LARGER[:2])
    yield from (Trial("clx", name, None, 0) for name in ("banking77", "r8"))
    yield from (Trial(who, name, MIDDLE, 0) for name in ("nlupp", *LARGER) for who in OTHERS)
    yield from _small(("setfit-20",), ("agnews", "20news-topics"), SEEDS)
    yield from _small(("setfit-20",), ("banking77", "20news"), SEEDS[:1])
    yield from _small(("setfit",), ("20news-topics", "r8"), SEEDS[:1])
    yield from (Trial(who, name, None, 0) for name in ("banking77", "r8") for who in OTHERS)
    whole = ("svm", "embeddings", "clx-head", "clx", "clx-whole-bf16")
    yield from (Trial(who, "20news", None, 0) for who in whole)
    yield from _small(("clx-bf16",), ("agnews", "20news-topics", "r8", "nlupp"), SEEDS[:1])


def _small(
    contenders: tuple[str, ...], names: tuple[str, ...], seeds: tuple[int, ...]
) -> Iterator[Trial]:
    for seed in seeds:
        for name in names:
            for contender in contenders:
                yield Trial(contender, name, SMALL[name], seed)
