"""Turn off the dropout of attention weights for trainings on long texts.

With this dropout, torch cannot use its fused attention kernel on a CPU. It then draws and stores a
random number for each pair of tokens, and a step on texts of 512 tokens takes nearly three times as long
(``benchmarks/attention.py``). ``docs/background/defaults.md`` reports the effect on the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clx.ml.model.base_models import read_model_config

LONG = 192
"""The mean row length, in tokens and averaged over tokens, from which the dropout is left out.

The average is over tokens, not rows, because time grows with the square of the length: if one row in ten
is long, that row takes most of the time.
"""

NAMES = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""The names of this dropout in model configs."""


def rates_to_leave_out(
    folder: Path, model_args: Mapping[str, Any], lengths: Sequence[int] | None
) -> dict[str, float]:
    """Return the dropout rates to train without, by their names in the config; often empty.

    Args:
        folder: the folder of the base model.
        model_args: the run's ``model_args``; a dropout that is set there stays.
        lengths: the number of tokens of each training row, None if unknown.
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
    """Return whether the model really has no such dropout; a task may ignore ``model_args``."""
    return bool(rates) and all(getattr(config, name, None) == 0 for name in rates)


def restore_dropout(config: Any, rates: Mapping[str, float]) -> None:
    """Restore the base model's rates in the config, for further training of the published model."""
    for name, rate in rates.items():
        if getattr(config, name, None) == 0:
            setattr(config, name, rate)
