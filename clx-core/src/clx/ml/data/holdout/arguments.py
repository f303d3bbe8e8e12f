"""The arguments that describe a split: the share of eval rows and the columns to split by."""

from __future__ import annotations

import math
import numbers
from typing import Any

from clx.errors import ConfigError
from clx.ml.results.row_split import RowSplit
from clx.problems import cell

SEED = 42
"""The seed of a split if ``training_args`` have none; the Trainer's own default."""


def is_share(eval_data: Any) -> bool:
    """Return whether an ``eval_data`` argument is a share of the training data instead of data.

    Booleans and invalid numbers count too, because their error message is about shares.
    """
    return isinstance(eval_data, numbers.Number) or type(eval_data).__name__ in ("bool", "bool_")


def split_asked_for(
    eval_data: Any, group_column: Any, time_column: Any, training_args: dict[str, Any]
) -> RowSplit | None:
    """Return the split that a call asks for, None if it passes eval data or asks for no evaluation.

    Raises:
        ConfigError: the share is not between 0 and 1, or the columns cannot be used.
    """
    refuse_both(group_column, time_column)
    if not is_share(eval_data):
        for name, column in (("group_column", group_column), ("time_column", time_column)):
            if column is not None:
                raise ConfigError(
                    f"{name} says how to split eval rows from train_data, but eval_data is not a "
                    f"share: pass eval_data=0.2, or leave {name} out"
                )
        return None
    return RowSplit(_share(eval_data), seed_of(training_args), group_column, time_column)


def refuse_both(group_column: Any, time_column: Any) -> None:
    """Raise if a call asks for a split by groups and by time at once.

    Raises:
        ConfigError: both are given, or one of them is not the name of a column.
    """
    for name, column in (("group_column", group_column), ("time_column", time_column)):
        if column is not None and not isinstance(column, str):
            raise ConfigError(f"{name} must be the name of a column, but is {cell(column)}")
    if group_column is not None and time_column is not None:
        raise ConfigError(
            "group_column and time_column cannot be used together, because the newest rows rarely "
            "are whole groups: choose one of them, or pass eval_data that you split yourself"
        )


def seed_of(training_args: dict[str, Any]) -> int:
    """Return the seed of a split: that of the training arguments, or :data:`SEED`."""
    seed = training_args.get("seed", SEED)
    return SEED if seed is None else int(seed)


def _share(value: Any) -> float:
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    share = float(value) if is_real else math.nan
    if not 0 < share < 1:
        raise ConfigError(
            f"eval_data must be data, or a share above 0 and below 1 such as 0.2, but is "
            f"{cell(value)}"
        )
    return share
