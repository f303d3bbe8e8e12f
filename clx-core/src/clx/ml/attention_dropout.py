"""The dropout of attention weights, without which models are trained on long texts.

With it torch cannot take its fused kernel on a CPU: it computes, keeps and draws a random number for
each pair of tokens, so that a step on texts of 512 tokens takes about three times as long
(``benchmarks/attention.py``). What it is worth there is in docs/defaults.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clx.ml.base_models import read_model_config

LONG = 192
"""Tokens of a row from which on it is left out, as a mean over tokens; below it costs little time.

Over tokens, since the time goes with the square of the length: where one row of ten is long, most of it
is that row's.
"""

NAMES = ("attention_probs_dropout_prob", "attention_dropout")
"""What configs of models call it."""


@dataclass(frozen=True)
class LeftOut:
    """A dropout that is left out.

    Attributes:
        name: the config's.
        rate: what the config says.
        tokens: of the row that a token is in, the mean over tokens.
    """

    name: str
    rate: float
    tokens: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "of_the_model": self.rate, "tokens": self.tokens}


def left_out(
    folder: Path, model_args: Mapping[str, Any], lengths: Sequence[int] | None
) -> LeftOut | None:
    """Return the dropout to train without, None to leave the model as it is.

    Args:
        folder: of the base model.
        model_args: of the run: what a user sets there stays.
        lengths: tokens of the training rows, None where they are not known.
    """
    mean = sum(length**2 for length in lengths) / max(1, sum(lengths)) if lengths else 0.0
    if mean < LONG:
        return None
    config = read_model_config(folder)
    for name in NAMES:
        rate = config.get(name)
        if name not in model_args and isinstance(rate, int | float) and rate > 0:
            return LeftOut(name, float(rate), round(mean, 1))
    return None
