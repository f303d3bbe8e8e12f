"""The dropout of attention weights, without which models are trained on long texts.

With it torch cannot take its fused kernel on a CPU: it computes, keeps and draws a random number for
each pair of tokens, so that a step on texts of 512 tokens takes nearly three times as long
(``benchmarks/attention.py``). What it is worth to the model is in docs/defaults.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clx.ml.model.base_models import read_model_config

LONG = 192
"""Tokens of a row from which on it is left out, as a mean over tokens.

Over tokens, since the time goes with the square of the length: where one row of ten is long, most of it
is that row's.
"""

NAMES = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""What configs of models call it."""


def rates_to_leave_out(
    folder: Path, model_args: Mapping[str, Any], lengths: Sequence[int] | None
) -> dict[str, float]:
    """Return the dropout to train without, by the names of the config; nothing to leave all as it is.

    Args:
        folder: of the base model.
        model_args: of the run: where a user sets it there, it stays.
        lengths: tokens of the training rows, None where they are not known.
    """
    mean = sum(length**2 for length in lengths) / max(1, sum(lengths)) if lengths else 0.0
    if mean < LONG or set(NAMES) & set(model_args):
        return {}
    config = read_model_config(folder)
    rates = {name: config.get(name) for name in NAMES}
    return {
        name: float(rate)
        for name, rate in rates.items()
        if isinstance(rate, int | float) and rate > 0
    }


def is_left_out(config: Any, rates: Mapping[str, float]) -> bool:
    """Return whether a model was made without: its task may not pass ``model_args`` on."""
    return bool(rates) and all(getattr(config, name, None) == 0 for name in rates)


def put_back(config: Any, rates: Mapping[str, float]) -> None:
    """Let the config say what the base model's said, for whoever trains the published model on."""
    for name, rate in rates.items():
        if getattr(config, name, None) == 0:
            setattr(config, name, rate)
